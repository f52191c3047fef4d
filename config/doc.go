// Package config is what an operator may tell Bendi: its shape, its defaults,
// and how it is read and checked.
//
// [Load] reads a YAML file strictly and reports everything wrong with it at
// once, each fault by file, line, column and the path of its key: bad syntax,
// unknown and repeated keys, values of the wrong type, and settings that
// contradict each other. A setting may come from a flag, the environment, the
// file or the defaults, in that order, and [Origins] remembers which it was.
// Without a file the built-in configuration, [Default], serves.
//
// Secrets are never written in the file itself: it names an environment
// variable or another file. A [Secret] does not print.
//
// The package opens no model and no port: it checks what is written, not
// whether it is there.
package config
