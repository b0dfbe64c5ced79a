// A program of the examples or the README as a process of its own.

import { spawn } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Starts a file; `said(text)` waits until it has printed that. Ends with the test. */
export function startProgram(after, file, environment) {
  const child = spawn(process.execPath, [file], { cwd: root, env: { PATH: process.env.PATH, ...environment } });
  let [output, ended] = ["", false];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  const exited = new Promise((resolve) => child.once("exit", (code) => ((ended = true), resolve(code))));
  after(async () => {
    child.kill();
    await exited;
  });
  return {
    /** Its exit code and all that it printed. */
    done: async () => ({ code: await exited, output }),
    said: async (text) => {
      for (let tries = 0; tries < 200 && !output.includes(text); tries += 1) {
        if (ended) throw new Error(`it ended: ${output}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      if (!output.includes(text)) throw new Error(`it never said ${text}: ${output}`);
      return output;
    },
  };
}

/** Keeps a program as a file within the package, where it finds the package by its name. */
export async function kept(after, name, text) {
  const file = new URL(`../.${process.pid}-${name}`, import.meta.url);
  await writeFile(file, text);
  after(() => rm(file));
  return fileURLToPath(file);
}
