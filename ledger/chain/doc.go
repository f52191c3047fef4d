// Package chain keeps lines in files of which no line can be changed, taken
// out, put elsewhere or added without [Verify] finding it.
//
// A folder has files of JSON lines, named by the number of their first line.
// Each line has its number, the hash of the line before it, and its own hash,
// over its bytes as they are written: SHA-256, or HMAC-SHA-256 with a key, which
// whoever can write the files does not have. The first line of a file links to
// the last of the file before it.
//
// The end of a chain proves nothing by itself: lines may be missing there. The
// file head says how far it had come when it was last brought to the disk, and
// whoever notes that elsewhere, see [Log.Head], can prove the chain to there.
//
// A [Log] writes. There is one for a folder, which a lock sees to. What it has
// been given is written at once by one goroutine, so that it outlives the
// program, and is on the disk after the interval that Options say. A line is
// there whole or not at all: what a killed program or a full disk has left of
// one is taken away again, kept aside, and a line of its own says so. Files
// older than they are to be kept are removed, which a line says too; it is what
// the rest of the chain is proven from. How old they are the times of the lines
// tell, of which the clock alone is not believed.
package chain
