package main

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
)

// lines is a file of audit lines, unpacked.
type lines struct {
	*bufio.Reader
	file io.Closer
}

// Close closes the file.
func (l lines) Close() error { return l.file.Close() }

// openLines opens a file, or standard input by the name of -. What is packed by gzip is unpacked, as
// it says itself and not by its name.
func openLines(path string, stdin io.Reader) (lines, error) {
	l := lines{bufio.NewReaderSize(stdin, maxFirstLine), io.NopCloser(stdin)}
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return l, err
		}
		l = lines{bufio.NewReaderSize(file, maxFirstLine), file}
	}
	if magic, _ := l.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		packed, err := gzip.NewReader(l.Reader)
		if err != nil {
			l.Close() //nolint:errcheck // err says more
			return l, fmt.Errorf("%s: %w", path, err)
		}
		l.Reader = bufio.NewReaderSize(packed, maxFirstLine)
	}
	return l, nil
}

// maxFirstLine is the longest line in bytes by which a file finds its place among others. A player who
// states a platform of characters that JSON escapes can make one of some thousands.
const maxFirstLine = 1 << 16

// firstLine is when a file begins.
type firstLine struct {
	path     string
	time     int64 // Unix ms
	chain    string
	sequence uint64 // in its chain
}

// byAge returns the files in the order of their first lines: those of one chain as they are numbered,
// others by their time. With standard input among them they stay as they are, and a file without a
// time stays behind the one before it.
func byAge(files []string) ([]string, error) {
	if slices.Contains(files, "-") {
		return files, nil
	}
	var firsts []firstLine
	for i, path := range files {
		first, ok, err := readFirst(path)
		if err != nil {
			return nil, err
		}
		if !ok && i > 0 {
			first = firstLine{path, firsts[i-1].time, firsts[i-1].chain, firsts[i-1].sequence}
		}
		firsts = append(firsts, first)
	}
	// A line has the time of its event, which may be before that of the line in front of it.
	slices.SortStableFunc(firsts, func(a, b firstLine) int { return cmp.Compare(a.sequence, b.sequence) })
	latest := make(map[string]int64) // by chain
	for i := range firsts {
		if f := &firsts[i]; f.chain != "" {
			f.time = max(f.time, latest[f.chain])
			latest[f.chain] = f.time
		}
	}
	slices.SortStableFunc(firsts, func(a, b firstLine) int { return cmp.Compare(a.time, b.time) })
	var sorted []string
	for _, f := range firsts {
		sorted = append(sorted, f.path)
	}
	return sorted, nil
}

// readFirst reads the first line of a file; false if it has no time.
func readFirst(path string) (first firstLine, ok bool, err error) {
	first.path = path
	in, err := openLines(path, nil)
	if err != nil {
		return first, false, err
	}
	defer in.Close() //nolint:errcheck // only read
	text, err := in.ReadSlice('\n')
	if err != nil && len(text) == 0 && err != io.EOF {
		return first, false, fmt.Errorf("%s: %w", path, err)
	}
	var l struct {
		Time     *int64 `json:"time"`
		Metadata struct {
			Sequence uint64 `json:"sequence"`
		} `json:"metadata"`
		Unmapped struct {
			Chain struct {
				ID string `json:"id"`
			} `json:"chain"`
		} `json:"unmapped"`
	}
	if json.Unmarshal(text, &l) != nil || l.Time == nil {
		return first, false, nil
	}
	first.time, first.chain, first.sequence = *l.Time, l.Unmapped.Chain.ID, l.Metadata.Sequence
	return first, true, nil
}

// interruptible is a reader that ends when ctx is done.
type interruptible struct {
	ctx context.Context
	io.Reader
}

func (r interruptible) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}
