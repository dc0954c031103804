package revocation

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
)

// The file of a store begins with storeMagic, and frames follow:
//
//	offset size
//	     0    1  type: 1 epoch, 2 segment
//	     1    4  length of the content
//	     5    4  CRC-32C of type, length and content
//	     9       content: of an epoch its number (8) and that of its first record (8); a segment
const (
	storeMagic = "sallyport revocation 1\n"
	frameSize  = 9

	frameEpoch   = 1
	frameSegment = 2

	storeFile   = "records"
	newFile     = "records.new"
	damagedFile = "records.damaged"
	lockFile    = "lock"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// store is a publisher's file. What append has returned for is on the disk, whatever happens to the
// process or the machine. A store belongs to one goroutine at a time.
type store struct {
	dir    string
	opened *os.File // dir itself
	lock   *os.File
	file   *os.File
	size   int64
	broken error // the file is in a state that only the next start can tell
}

// openStore locks dir, makes it if it is missing, and reads what is in it up to the first frame
// that is not whole: damaged is how many bytes follow from there. The caller goes on with begin.
func openStore(dir string) (st *store, branches []branch, segments [][]byte, damaged int, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, nil, 0, storeError("cannot make the directory", err)
	}
	lock, err := lockDir(filepath.Join(dir, lockFile))
	if err != nil {
		return nil, nil, nil, 0, err
	}
	st = &store{dir: dir, lock: lock}
	if st.opened, err = os.Open(dir); err != nil {
		return nil, nil, nil, 0, closeAfter(st, storeError("cannot open the directory", err))
	}
	b, err := os.ReadFile(filepath.Join(dir, storeFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, nil, 0, closeAfter(st, storeError("cannot read the file", err))
	}
	branches, segments, rest := parseStore(b)
	return st, branches, segments, len(rest), nil
}

// parseStore reads a file, and returns what follows the last whole frame.
func parseStore(b []byte) (branches []branch, segments [][]byte, rest []byte) {
	if len(b) < len(storeMagic) || string(b[:len(storeMagic)]) != storeMagic {
		return nil, nil, b
	}
	b = b[len(storeMagic):]
	for len(b) >= frameSize {
		size := int(binary.BigEndian.Uint32(b[1:]))
		if size > MaxMessage || len(b)-frameSize < size || frameSum(b[:5], b[frameSize:frameSize+size]) != binary.BigEndian.Uint32(b[5:]) {
			break
		}
		content := b[frameSize : frameSize+size]
		switch {
		case b[0] == frameEpoch && size == 16:
			branches = append(branches, branch{binary.BigEndian.Uint64(content), binary.BigEndian.Uint64(content[8:])})
		case b[0] == frameSegment:
			segments = append(segments, content)
		default:
			return branches, segments, b
		}
		b = b[frameSize+size:]
	}
	return branches, segments, b
}

func frameSum(header, content []byte) uint32 {
	return crc32.Update(crc32.Checksum(header, castagnoli), castagnoli, content)
}

func appendFrame(b []byte, kind byte, content []byte) []byte {
	at := len(b)
	b = binary.BigEndian.AppendUint32(append(b, kind), uint32(len(content)))
	b = binary.BigEndian.AppendUint32(b, frameSum(b[at:at+5], content))
	return append(b, content...)
}

// append writes frames and waits until they are on the disk. After an error nothing of them is in
// the file, or the store is broken.
func (st *store) append(frames []byte) error {
	if st.broken != nil {
		return st.broken
	}
	n, err := st.file.Write(frames)
	if err == nil {
		if err = st.file.Sync(); err == nil {
			st.size += int64(n)
			return nil
		}
		st.broken = storeError("the disk did not confirm a write; restart the publisher when it is sound", err)
		return st.broken
	}
	cut := st.file.Truncate(st.size)
	if _, seek := st.file.Seek(st.size, io.SeekStart); cut != nil || seek != nil {
		st.broken = storeError("a write failed and could not be undone; restart the publisher", err)
	}
	return storeError("cannot write: is the disk full?", err)
}

// begin writes a new file beside the one in use; finish puts it in its place.
func (st *store) begin(frames []byte) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(st.dir, newFile), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, storeError("cannot make a file", err)
	}
	if _, err = f.Write(append([]byte(storeMagic), frames...)); err == nil {
		err = f.Sync()
	}
	if err != nil {
		_ = f.Close()
		return nil, storeError("cannot write: is the disk full?", err)
	}
	return f, nil
}

// finish adds what has been appended meanwhile to the file that begin has written, and renames it. The
// file in use is the one that has the name, whatever fails: what is appended to another is lost.
func (st *store) finish(f *os.File, frames []byte) error {
	_, err := f.Write(frames)
	if err == nil {
		err = f.Sync()
	}
	size := int64(0)
	if err == nil {
		size, err = f.Seek(0, io.SeekEnd)
	}
	if err == nil {
		err = os.Rename(filepath.Join(st.dir, newFile), filepath.Join(st.dir, storeFile))
	}
	if err != nil {
		_ = f.Close()
		return storeError("cannot replace the file", err)
	}
	if st.file != nil {
		_ = st.file.Close()
	}
	st.file, st.size = f, size
	if err := st.opened.Sync(); err != nil {
		st.broken = storeError("the disk did not confirm the new file's name; restart the publisher when it is sound", err)
		return st.broken
	}
	return nil
}

// keepDamaged keeps the file as it was found, for the operator. It has its own name, too, until finish
// replaces it: a process that ends before that must not find an empty store.
func (st *store) keepDamaged() error {
	aside := filepath.Join(st.dir, damagedFile)
	err := os.Remove(aside)
	if err == nil || errors.Is(err, os.ErrNotExist) {
		err = os.Link(filepath.Join(st.dir, storeFile), aside)
	}
	if err != nil {
		return storeError("cannot put the damaged file aside", err)
	}
	return nil
}

func (st *store) close() error {
	var err error
	if st.file != nil {
		err = st.file.Close()
	}
	if st.opened != nil {
		err = errors.Join(err, st.opened.Close())
	}
	return errors.Join(err, st.lock.Close())
}

func storeError(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrStore, what, err)
}
