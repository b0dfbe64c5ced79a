// The same for `import`: one copy of the classes, however they are loaded.

export * from "./index.js";
