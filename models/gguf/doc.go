// Package gguf reads and writes GGUF, the file format of llama.cpp's models
// and adapters, versions 2 and 3.
//
// [Open] reads a file's header: its metadata and where each tensor lies. It is
// strict, because llama.cpp aborts the whole process on some malformed files:
// what Open accepts has well-formed metadata, no key or tensor twice, and
// every tensor inside the file, in the order and at the alignment that
// llama.cpp asks for. A file that was cut off, changed or is no GGUF at all is
// refused with the path, the place and both numbers.
//
// [File.CheckModel] and [File.CheckAdapter] go further and tell whether
// llama.cpp can run the file as a model, or beside one. [Write] makes a file.
//
// Lengths in a file are never trusted before they are compared with the size
// of the file: reading takes memory in proportion to the header that is really
// there, and arrays such as vocabularies stay in the file until asked for.
package gguf
