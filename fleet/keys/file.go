package keys

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/fleetkey"
)

// writeFile replaces the file at path by one that only its owner may read. It is either the old one
// or the new one, whenever the machine stops.
func writeFile(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// readFile reads a file of secrets, or returns nil if there is none. Others may not read it, and it
// is neither a link nor a pipe.
func readFile(path string, limit int64) ([]byte, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New(path + " is not a regular file")
	case info.Mode().Perm()&0o077 != 0:
		return nil, errors.New(path + " can be read by others: chmod 600, and rotate the keys if somebody has")
	case info.Size() > limit:
		return nil, errors.New(path + " is too long")
	}
	return os.ReadFile(path)
}

// errLocked is that of a lock which another process has.
var errLocked = errors.New("another process uses it")

// A Holder's file is a key file with comments in front:
//
//	# Fleet keys of one match server. Whoever reads them can resume as any player.
//	# fleet NAME
//	# instance HEX
//	# ring EPOCH REVISION
//	# lease UNIX-MILLISECONDS
//	# own ID
//
// The line own is there if one of the keys is the server's own.

// encode returns the content of the file, which the caller clears.
func (h *holding) encode(now time.Time) ([]byte, error) {
	lease := now.Round(0).Add(h.lease.Sub(now)) // on the clock of the wall
	file := fmt.Appendf(make([]byte, 0, 512+len(h.filled)*128),
		"# Fleet keys of one match server. Whoever reads them can resume as any player.\n# fleet %s\n# instance %v\n# ring %d %d\n# lease %d\n",
		h.fleet, h.instance, h.has.epoch, h.has.revision, lease.UnixMilli())
	if slices.ContainsFunc(h.filled, h.same) {
		file = fmt.Appendf(file, "# own %s\n", keyID(h.own))
	}
	for _, k := range h.filled {
		line, err := k.Text()
		if err != nil {
			clear(file)
			return nil, err
		}
		file = append(file, line...)
		clear(line)
	}
	return file, nil
}

// decode takes over what the process before has left, if alone: if that process has ended.
func (h *holding) decode(now time.Time, file []byte, alone bool) error {
	bad := errors.New("it is damaged: remove it, and the server gets its keys from the keeper")
	keys, err := fleetkey.Parse(file)
	if err != nil {
		return bad
	}
	var fleet string
	var former instance
	var has version
	var lease int64
	var own uint32
	for line := range bytes.Lines(file) {
		words := strings.SplitN(strings.TrimSpace(string(line[:min(len(line), maxFleetName+16)])), " ", 3)
		if len(words) != 3 || words[0] != "#" {
			continue
		}
		ok := true
		switch words[1] {
		case "fleet":
			fleet = words[2]
		case "instance":
			former, ok = parseInstance(words[2])
		case "ring":
			_, err := fmt.Sscanf(words[2], "%d %d", &has.epoch, &has.revision)
			ok = err == nil
		case "lease":
			_, err := fmt.Sscanf(words[2], "%d", &lease)
			ok = err == nil
		case "own":
			id, err := hex.DecodeString(words[2])
			if ok = err == nil && len(id) == 4; ok {
				own = binary.BigEndian.Uint32(id)
			}
		}
		if !ok {
			return bad
		}
	}
	if fleet != h.fleet {
		return errors.New("it has the keys of another fleet")
	}
	end := time.UnixMilli(lease)
	if now.Round(0).After(end.Add(h.life)) {
		return nil // no ticket under these keys is good any more
	}
	for _, k := range keys {
		if k.ID() == own && own != 0 {
			h.own, h.ownUsed = k, now
		} else {
			h.keys = append(h.keys, k)
		}
	}
	if alone && len(h.keys) > 0 {
		h.former, h.has, h.saved = former, has, has
		h.lease = now.Add(min(end.Sub(now.Round(0)), h.life))
		h.written = h.lease
	}
	return nil
}
