package chain_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/audit/chain"
)

// edit is one thing that somebody without the key can do to a file, and whether a finding names it.
type edit struct {
	name  string
	times int // at each line
	// do changes lines at index i, and returns what is to be found.
	do func(r *rand.Rand, lines []string, i int) ([]string, func([]chain.Finding) bool)
}

// number is the number of the line at index i of log in its chain, of which the first has 68 lines.
func number(i int) uint64 {
	if i < 68 {
		return uint64(i + 1)
	}
	return uint64(i - 67)
}

// last reports whether the line at index i is the last of its chain.
func last(i int) bool { return i == 67 || i == 72 }

// named reports whether a finding of a kind covers a number.
func named(n uint64, kinds ...chain.Kind) func([]chain.Finding) bool {
	return func(found []chain.Finding) bool {
		return slices.ContainsFunc(found, func(f chain.Finding) bool {
			return slices.Contains(kinds, f.Kind) && f.From <= n && n <= f.To
		})
	}
}

// at reports whether a finding of a kind covers a line of the file, counted from 1.
func at(line int, kinds ...chain.Kind) func([]chain.Finding) bool {
	return func(found []chain.Finding) bool {
		return slices.ContainsFunc(found, func(f chain.Finding) bool {
			return slices.Contains(kinds, f.Kind) && f.Line <= line && line <= f.LastLine
		})
	}
}

var edits = []edit{
	{"a byte is changed", 3, func(r *rand.Rand, lines []string, i int) ([]string, func([]chain.Finding) bool) {
		b := []byte(lines[i])
		k := r.IntN(len(b) - 1)
		b[k] ^= byte(1 + r.IntN(255))
		lines[i] = string(b)
		n, near := number(i), named(number(i), chain.Altered, chain.BadSignature, chain.UnknownKey, chain.Missing, chain.Earlier, chain.Open, chain.Inserted)
		return lines, func(found []chain.Finding) bool {
			return near(found) || n > 1 && named(n-1, chain.Altered, chain.Open)(found) || at(i+1, chain.Foreign)(found)
		}
	}},
	{"a value is changed", 1, func(_ *rand.Rand, lines []string, i int) ([]string, func([]chain.Finding) bool) {
		lines[i] = strings.Replace(lines[i], `"severity_id":1`, `"severity_id":2`, 1)
		return lines, named(number(i), chain.Altered, chain.BadSignature)
	}},
	{"a line is deleted", 1, func(_ *rand.Rand, lines []string, i int) ([]string, func([]chain.Finding) bool) {
		want := named(number(i), chain.Missing, chain.Earlier)
		if i == 72 {
			want = named(number(i)-1, chain.Open) // what comes behind it nobody knows
		}
		return slices.Delete(lines, i, i+1), want
	}},
	{"lines are cut off", 1, func(_ *rand.Rand, lines []string, i int) ([]string, func([]chain.Finding) bool) {
		want := func(found []chain.Finding) bool { return len(found) > 0 }
		if i > 0 && !last(i-1) {
			want = named(number(i-1), chain.Open)
		}
		if i == 0 {
			want = func(found []chain.Finding) bool { return len(found) == 0 } // an empty file: Summary.Lines says so
		}
		if i == 68 {
			want = func(found []chain.Finding) bool { return len(found) == 0 } // a chain that nothing here names
		}
		return lines[:i], want
	}},
	{"a line is inserted", 1, func(r *rand.Rand, lines []string, i int) ([]string, func([]chain.Finding) bool) {
		return slices.Insert(lines, i, "{\"decision\":\"accept\"}\n"), at(i+1, chain.Foreign)
	}},
	{"a line is repeated", 1, func(r *rand.Rand, lines []string, i int) ([]string, func([]chain.Finding) bool) {
		j := r.IntN(len(lines) + 1)
		copied := lines[i]
		k := j + 1 // where the later of the two stands
		if j <= i {
			k = i + 2
		}
		return slices.Insert(lines, j, copied), func(found []chain.Finding) bool {
			return at(k, chain.Repeated)(found) || named(number(i), chain.Repeated)(found)
		}
	}},
	{"two lines are swapped", 1, func(r *rand.Rand, lines []string, i int) ([]string, func([]chain.Finding) bool) {
		j := r.IntN(len(lines))
		if lines[i] == lines[j] {
			j = (i + 1) % len(lines)
		}
		i, j = min(i, j), max(i, j)
		lines[i], lines[j] = lines[j], lines[i]
		want := at(j+1, chain.Misplaced)
		if i < 68 && j >= 68 {
			// Each stands among the lines of the other chain, and order is an order within one.
			want = func(found []chain.Finding) bool {
				return i == 67 && j == 68 || named(number(i)+1, chain.Misplaced)(found) || named(number(i), chain.Misplaced)(found) || named(number(j), chain.Misplaced)(found) || named(number(j)-1, chain.Misplaced)(found)
			}
		}
		return lines, want
	}},
	{"a line is forged", 1, func(_ *rand.Rand, lines []string, i int) ([]string, func([]chain.Finding) bool) {
		if i == 0 || i == 68 {
			return slices.Insert(lines, i, "x\n"), at(i+1, chain.Foreign)
		}
		forged := forge(lines[i-1], strings.Replace(lines[i], `"severity_id":1`, `"severity_id":3`, 1))
		return slices.Insert(lines, i, forged), func(found []chain.Finding) bool {
			return at(i+1, chain.Inserted, chain.BadSignature)(found) || last(i) && named(number(i), chain.Repeated)(found)
		}
	}},
	{"the rest is forged", 1, func(_ *rand.Rand, lines []string, i int) ([]string, func([]chain.Finding) bool) {
		// All hashes are right; it takes the key to sign the next head.
		end := i
		for !last(end) {
			end++
		}
		lines[i] = strings.Replace(lines[i], `"severity_id":1`, `"severity_id":3`, 1)
		for k := i + 1; k <= end; k++ {
			lines[k] = forge(lines[k-1], lines[k])
		}
		return lines, func(found []chain.Finding) bool {
			return slices.ContainsFunc(found, func(f chain.Finding) bool { return f.Kind == chain.BadSignature && f.From >= number(i) })
		}
	}},
}

// forge is line with the hash of the line before.
func forge(before, line string) string {
	const name = `,"previous":"`
	i := strings.LastIndex(line, name)
	if i < 0 {
		return line
	}
	sum := sha256.Sum256([]byte(strings.TrimSuffix(before, "\n")))
	return line[:i] + name + hex.EncodeToString(sum[:]) + line[i+len(name)+64:]
}

// "any single edit, deletion, insertion, swap, truncation, duplication of lines is found and named"
func TestAnyEditIsNamed(t *testing.T) {
	signer, public := keys(t)
	whole := log(t, signer)
	r := rand.New(rand.NewPCG(1, 2))
	c := chain.Config{Keys: []ed25519.PublicKey{public}}
	for _, e := range edits {
		t.Run(e.name, func(t *testing.T) {
			for i := range whole {
				if testing.Short() && i%9 != 0 && i != 66 && i != 67 && i != 72 {
					continue
				}
				for range e.times {
					lines, want := e.do(r, slices.Clone(whole), i)
					text := strings.Join(lines, "")
					found, s := verify(t, c, text)
					if !want(found) {
						t.Errorf("line %d (%d of its chain): %v", i+1, number(i), texts(found))
					}
					if s.Faults() == 0 && text != strings.Join(whole, "") && i != 0 && i != 68 && (i != 67 || e.name != "two lines are swapped") {
						t.Errorf("line %d: no fault: %v", i+1, texts(found))
					}
				}
			}
		})
	}
}

func texts(found []chain.Finding) string {
	var s strings.Builder
	for _, f := range found {
		fmt.Fprintf(&s, "\n\t%v", f)
	}
	return s.String() + "\n\t" + strconv.Itoa(len(found))
}
