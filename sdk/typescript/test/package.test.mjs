// The package as others get it: packed, installed into empty projects, and used there to take money.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startServer } from "./support/server.mjs";
import { PAYMENT } from "./support/stub.mjs";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));
const modules = join(root, "node_modules");
const npm = (args, cwd) => run("npm", [...args, "--no-audit", "--no-fund"], { cwd });

describe("the package", () => {
  let server, project, environment, tarball, listed;
  const endings = [];

  before(async () => {
    server = await startServer((end) => endings.push(end));
    const app = await server.app();
    environment = { PATH: process.env.PATH, PAY_URL: server.url, PAY_KEY: app.public_key, PAY_SECRET: app.secret };
    project = await mkdtemp(join(tmpdir(), "switchyard-project-"));
    endings.push(() => rm(project, { recursive: true, force: true }));
    // What is packed is what was built and tested.
    const packed = await npm(["pack", "--ignore-scripts", "--json", "--pack-destination", project], root);
    [{ filename: tarball, files: listed }] = JSON.parse(packed.stdout);
    await writeFile(join(project, "package.json"), '{ "private": true }');
    // Without dependencies there is nothing to ask anybody for.
    await npm(["install", "--offline", `./${tarball}`], project);
  });
  after(async () => {
    for (const end of endings.reverse()) await end();
  });

  it("holds what is built and nothing else", async () => {
    const names = listed.map(({ path }) => path);
    for (const name of [
      "README.md",
      "LICENSE",
      "package.json",
      "dist/esm.mjs",
      "dist/index.d.ts",
      "examples/express.mjs",
    ]) {
      assert.ok(names.includes(name), name);
    }
    assert.deepEqual(
      names.filter((name) => !/^(dist\/|examples\/|README\.md$|LICENSE$|package\.json$)/.test(name)),
      [],
    );
    const manifest = JSON.parse(await readFile(join(project, "node_modules/switchyard-pay/package.json"), "utf8"));
    assert.deepEqual([manifest.dependencies, manifest.license], [undefined, "Apache-2.0"]);
  });

  const create = `
const pay = new Switchyard({ expectMode: "test" });
pay.payments.create(${JSON.stringify(PAYMENT)}).then(({ status, checkout_url }) => console.log(status, checkout_url));
`;
  const programs = {
    "esm.mjs": `import { Switchyard } from "switchyard-pay";${create}`,
    "common.cjs": `const { Switchyard } = require("switchyard-pay");${create}`,
  };
  for (const [name, text] of Object.entries(programs)) {
    it(`takes money in an empty project: ${name}`, async () => {
      await writeFile(join(project, name), text);
      const { stdout } = await run(process.execPath, [name], { cwd: project, env: environment });
      assert.ok(stdout.startsWith(`initiated ${server.url}/`), stdout);
    });
  }

  const settings = {
    "Node's modules": { module: "node16", types: ["node"], typeRoots: [join(modules, "@types")] },
    "a bundler, without the types of Node": {
      module: "esnext",
      moduleResolution: "bundler",
      lib: ["ES2022", "DOM"],
      types: [],
    },
    "the old way of CommonJS": {
      module: "commonjs",
      moduleResolution: "node10",
      types: ["node"],
      typeRoots: [join(modules, "@types")],
    },
  };
  for (const [name, options] of Object.entries(settings)) {
    it(`takes money in TypeScript, compiled for ${name}`, async () => {
      const text = `import { Switchyard, type Payment } from "switchyard-pay";
const pay = new Switchyard({ expectMode: "test" });
pay.payments.create(${JSON.stringify(PAYMENT)}).then(({ status, checkout_url }: Payment) => console.log(status, checkout_url));
`;
      const compilerOptions = { target: "ES2022", strict: true, skipLibCheck: false, outDir: "out", ...options };
      await writeFile(join(project, "main.ts"), text);
      await writeFile(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["main.ts"] }));
      await run(process.execPath, [join(modules, "typescript/bin/tsc")], { cwd: project }).catch(({ stdout }) =>
        assert.fail(stdout),
      );
      const built = await readFile(join(project, "out/main.js"), "utf8");
      const program = built.includes("import {") ? "main.mjs" : "main.cjs";
      await writeFile(join(project, program), built);
      const { stdout } = await run(process.execPath, [program], { cwd: project, env: environment });
      assert.ok(stdout.startsWith(`initiated ${server.url}/`), stdout);
    });
  }
});
