package fold

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

var (
	//go:embed tables/fold.txt
	foldText string
	//go:embed tables/looks.txt
	looksText string
	//go:embed tables/expand.txt
	expandText string
	//go:embed tables/kinds.txt
	kindsText string
	//go:embed tables/pinyin.txt
	pinyinText string
	//go:embed tables/parts.txt
	partsText string
	//go:embed tables/alikes.txt
	alikesText string
)

// Each table is read when it is first asked for, and never changes then.
var (
	runeTable    = sync.OnceValue(readRunes)
	readingTable = sync.OnceValue(readReadings)
	partTable    = sync.OnceValue(readParts)
	alikeTable   = sync.OnceValue(readAlikes)
)

const (
	planeSize  = 1 << 16
	foreignBit = 0x80
	maxAlikes  = 12
)

// runeRead is what runeTable returned, where the inner loops can get at it.
var runeRead atomic.Pointer[runeFacts]

func runeTables() *runeFacts {
	if t := runeRead.Load(); t != nil {
		return t
	}
	t := runeTable()
	runeRead.Store(t)
	return t
}

// runeFacts holds what the first plane says of each of its runes, and the
// others of those of theirs that it concerns.
type runeFacts struct {
	fold       [planeSize]uint16 // what a rune folds to; 0: itself
	kind       [planeSize]uint8  // a Kind, with foreignBit
	far        map[rune]rune
	farForeign map[rune]bool
	farKinds   []span // in order
	expand     map[rune]string
}

// span is a range of runes of one kind.
type span struct {
	from, to rune
	kind     Kind
}

func (t *runeFacts) farKind(r rune) Kind {
	i, ok := slices.BinarySearchFunc(t.farKinds, r, func(s span, r rune) int {
		switch {
		case s.to < r:
			return -1
		case s.from > r:
			return 1
		}
		return 0
	})
	if !ok {
		return Other
	}
	return t.farKinds[i].kind
}

func readRunes() *runeFacts {
	t := &runeFacts{far: map[rune]rune{}, farForeign: map[rune]bool{}, expand: map[rune]string{}}
	for line := range lines(kindsText) {
		t.readKind(line)
	}
	slices.SortFunc(t.farKinds, func(a, b span) int { return int(a.from - b.from) })
	for line := range lines(foldText) {
		t.readFold(line, false)
	}
	for line := range lines(looksText) {
		t.readFold(line, true)
	}
	for line := range lines(expandText) {
		r, several := cutRune(line)
		t.expand[r] = several
	}
	return t
}

// readKind reads "Kind 41-5A AA", in hex.
func (t *runeFacts) readKind(line string) {
	name, ranges, _ := strings.Cut(line, " ")
	kind := Kind(slices.Index(kindNames[:], name))
	for f := range strings.SplitSeq(ranges, " ") {
		from, to, ok := strings.Cut(f, "-")
		if !ok {
			to = from
		}
		s := span{hex(from), hex(to), kind}
		if s.to >= planeSize {
			t.farKinds = append(t.farKinds, s)
			continue
		}
		for r := s.from; r <= s.to; r++ {
			t.kind[r] = uint8(kind)
			if kind == Space && r != ' ' {
				t.fold[r] = ' '
			}
		}
	}
}

// readFold reads "target sources".
func (t *runeFacts) readFold(line string, foreign bool) {
	to, sources := cutRune(line)
	for _, r := range sources {
		if r >= planeSize {
			t.far[r] = to
			if foreign {
				t.farForeign[r] = true
			}
			continue
		}
		t.fold[r] = uint16(to)
		if foreign {
			t.kind[r] |= foreignBit
		}
	}
}

// readingFacts holds the readings of characters: most have one.
type readingFacts struct {
	syllables []string
	main      [hanEnd - hanStart]uint16 // 1 + the index of the main reading; 0: none
	several   map[rune][]string         // of those that have more, or lie elsewhere
}

// The ideographs of the first plane, with extension A.
const hanStart, hanEnd = 0x3400, 0xA000

func (t *readingFacts) of(r rune) []string {
	if all := t.several[r]; all != nil || r < hanStart || r >= hanEnd {
		return all
	}
	if i := int(t.main[r-hanStart]); i > 0 {
		return t.syllables[i-1 : i : i]
	}
	return nil
}

func readReadings() *readingFacts {
	t := &readingFacts{several: map[rune][]string{}}
	for line := range lines(pinyinText) {
		syllable, characters, _ := strings.Cut(line, " ")
		t.syllables = append(t.syllables, syllable)
		main, _, _ := strings.Cut(characters, "|")
		for _, r := range main {
			if r < hanStart || r >= hanEnd {
				t.several[r] = []string{syllable}
				continue
			}
			t.main[r-hanStart] = uint16(len(t.syllables))
		}
	}
	for line := range lines(pinyinText) {
		syllable, characters, _ := strings.Cut(line, " ")
		_, others, _ := strings.Cut(characters, "|")
		for _, r := range others {
			t.several[r] = append(t.of(r), syllable)
		}
	}
	return t
}

func readParts() map[rune][]string {
	parts := make(map[rune][]string, 6<<10)
	for line := range lines(partsText) {
		r, ways := cutRune(line)
		parts[r] = strings.Split(ways, " ")
	}
	return parts
}

func readAlikes() map[rune][]rune {
	alikes := make(map[rune][]rune, 5<<10)
	for line := range lines(alikesText) {
		group := []rune(line)
		for _, r := range group {
			list := alikes[r]
			for _, other := range group {
				if len(list) < maxAlikes && other != r && !slices.Contains(list, other) {
					list = append(list, other)
				}
			}
			alikes[r] = list
		}
	}
	return alikes
}

// lines yields the lines of a table, of which the last ends too.
func lines(table string) func(yield func(string) bool) {
	return strings.SplitSeq(strings.TrimSuffix(table, "\n"), "\n")
}

// cutRune cuts "r rest".
func cutRune(line string) (r rune, rest string) {
	first, rest, _ := strings.Cut(line, " ")
	for _, r = range first {
		break
	}
	return r, rest
}

// hex reads a number the generator has written.
func hex(s string) rune {
	n, err := strconv.ParseUint(s, 16, 32)
	if err != nil {
		panic("fold: a damaged table of kinds: " + err.Error())
	}
	return rune(n)
}
