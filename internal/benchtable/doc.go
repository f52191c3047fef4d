// Package benchtable is what the benchmark commands of scripts share: figures
// that were measured in rounds, what they have to reach, the table in which a
// person reads them, and the machine that they are of.
//
// What is compared is measured in turns, and the ratio shown is the median of
// the rounds' ratios, since a shared machine is never twice the same.
package benchtable
