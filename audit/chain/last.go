package chain

import (
	"bytes"
	"crypto/sha256"
	"io"
)

// End is where a file ends, for audit.ChainConfig.After.
type End struct {
	Chain    string            // id of the chain of the last whole line; empty if it is of none
	Sequence uint64            // the line's number
	Hash     [sha256.Size]byte // of the line, without its line feed
	Torn     bool              // the file does not end with a line feed: a process was killed while it wrote
}

// Last returns the end of the file of which the size is given. An empty file has none: look at the
// file before, from which it was rotated. A last line that belongs to no chain, such as one that
// was cut off, is passed over. The lines are not verified.
func Last(file io.ReaderAt, size int64) (End, error) {
	var end End
	at := max(size-tailLen, 0)
	tail := make([]byte, size-at)
	if n, err := file.ReadAt(tail, at); n < len(tail) {
		return end, err
	}
	end.Torn = len(tail) > 0 && tail[len(tail)-1] != '\n'
	for len(tail) > 0 {
		tail = bytes.TrimSuffix(tail, []byte{'\n'})
		begin := bytes.LastIndexByte(tail, '\n') + 1
		if l, ok := parse(tail[begin:]); ok && (begin > 0 || at == 0) {
			end.Chain, end.Sequence, end.Hash = l.chain, l.sequence, l.hash
			return end, nil
		}
		tail = tail[:begin]
	}
	return end, nil
}
