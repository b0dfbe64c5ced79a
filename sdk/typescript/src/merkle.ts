// Merkle trees of RFC 9162 with SHA-256: hashes of leaves and nodes, the root over leaves, the check of a path.

import { createHash } from "node:crypto";

/** The hash of a leaf that says this. */
export function leafHash(text: string): Buffer {
  return createHash("sha256").update(Buffer.of(0)).update(text).digest();
}

function nodeHash(left: Buffer, right: Buffer): Buffer {
  return createHash("sha256").update(Buffer.of(1)).update(left).update(right).digest();
}

/** The root over leaves, by their hashes. */
export function rootOf(leaves: Buffer[]): Buffer {
  // Full subtrees, the largest first: two of one size become one.
  const subtrees: { size: number; hash: Buffer }[] = [];
  for (const leaf of leaves) {
    let tree = { size: 1, hash: leaf };
    for (let last = subtrees.at(-1); last?.size === tree.size; last = subtrees.at(-1)) {
      subtrees.pop();
      tree = { size: 2 * tree.size, hash: nodeHash(last.hash, tree.hash) };
    }
    subtrees.push(tree);
  }
  const root = subtrees
    .map(({ hash }) => hash)
    .reduceRight<Buffer | undefined>((right, left) => (right === undefined ? left : nodeHash(left, right)), undefined);
  return root ?? createHash("sha256").digest();
}

/** Where a path leads from the leaf at `index` of `size` (RFC 9162, 2.1.3.2); undefined if it is too short or too long. */
export function rootOfPath(leaf: Buffer, index: number, size: number, path: Buffer[]): Buffer | undefined {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) return undefined;
  let [node, last, hash] = [index, size - 1, leaf];
  for (const sibling of path) {
    if (last === 0) return undefined;
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(sibling, hash);
      // On these levels the node at the right edge is a left child without a sibling.
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)];
    } else {
      hash = nodeHash(hash, sibling);
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  return last === 0 ? hash : undefined;
}
