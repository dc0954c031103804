package filter

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

var (
	// ErrForbidden matches the error of a Check where the kernel lets this process use no BPF.
	ErrForbidden = errors.New("filter: this process may use no BPF")

	// ErrVersion matches the error of a Check where maps are of another version of this package.
	ErrVersion = errors.New("filter: the maps are of another version")
)

// Check returns what keeps a Feed of this process from reaching a filter whose maps are pinned in dir,
// and what to do about it; nil means nothing. An empty dir means DefaultDir. The error matches ErrConfig
// if dir is in no BPF file system, or ErrForbidden: no filter loaded later changes these. The others may
// change while a Feed runs, which notices by itself: fs.ErrNotExist, no filter is loaded;
// fs.ErrPermission, its maps are another user's; ErrVersion.
func Check(dir string) error {
	dir = cmp.Or(dir, DefaultDir)
	if err := inBPF(dir); err != nil {
		return err
	}
	var m feedMaps
	_, err := m.find(dir)
	m.close()
	return err
}

// ofBPF reports whether statfs has described a BPF file system. The number of one is too long for Type where that has 32
// bits with a sign.
func ofBPF(st unix.Statfs_t) bool { return uint32(st.Type) == unix.BPF_FS_MAGIC }

// inBPF returns an error unless a directory, or the one in which it can be made, is in a BPF file system.
func inBPF(dir string) error {
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		var st unix.Statfs_t
		err := unix.Statfs(at, &st)
		switch {
		case err == nil && !ofBPF(st):
			return fmt.Errorf("%w: %s is in no BPF file system: mount one, as root: mount -t bpf bpf %s", ErrConfig, dir, filepath.Dir(DefaultDir))
		case errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at):
		case errors.Is(err, unix.EACCES): // of a directory above
			return nil
		case err != nil:
			return fmt.Errorf("%w: %s: %w", ErrConfig, dir, err)
		default:
			return nil
		}
	}
}

// feedMaps are the pinned maps.
type feedMaps struct {
	ports, beats, peers, hints, hosts *ebpf.Map

	ino uint64 // of the pin of peers
}

func (m *feedMaps) open() bool { return m.beats != nil }

func (m *feedMaps) close() {
	for _, each := range []**ebpf.Map{&m.ports, &m.beats, &m.peers, &m.hints, &m.hosts} {
		(*each).Close() //nolint:errcheck // it is only read from here
		*each = nil
	}
}

// find opens what is pinned in a directory, unless it is open, and reports whether that is other maps than
// before. Errors are those of Check.
func (m *feedMaps) find(dir string) (fresh bool, err error) {
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(dir, "peers"), &st); err != nil {
		m.close()
		// Where BPF is forbidden that is what is to be mended first.
		opened, e := ebpf.LoadPinnedMap(filepath.Join(dir, "peers"), nil)
		opened.Close() //nolint:errcheck // of nil, but for one that was pinned a moment ago
		if forbids(e) {
			err = e
		}
		return false, pinFault(dir, err)
	}
	if m.open() && st.Ino == m.ino {
		return false, nil
	}
	m.close()
	if err := agree(dir); err != nil {
		return false, pinFault(dir, err)
	}
	for _, each := range []struct {
		name string
		to   **ebpf.Map
		key  uint32
		of   uint32
	}{{"ports", &m.ports, 4, 16}, {"beats", &m.beats, 4, 8}, {"peers", &m.peers, 20, 8}, {"hints", &m.hints, 8, 16}, {"hosts", &m.hosts, 16, 16}} {
		opened, err := ebpf.LoadPinnedMap(filepath.Join(dir, each.name), nil)
		if err == nil && (opened.KeySize() != each.key || opened.ValueSize() != each.of) {
			opened.Close() //nolint:errcheck // nothing was written
			err = ErrVersion
		}
		if err != nil {
			m.close()
			return false, pinFault(dir, err)
		}
		*each.to = opened
	}
	m.ino = st.Ino
	return true, nil
}

// filters reports whether the program looks at datagrams to a port, and whether it has seen one lately.
func (m *feedMaps) filters(number uint16) (on, sees bool) {
	var p port
	if m.ports.Lookup(uint32(number), &p) != nil {
		return true, false
	}
	return p.On != 0, p.Seen != 0 && time.Duration(monotonic()-p.Seen) < sightTime
}

// beat says that a port's server lives, or with 0 that it does not.
func (m *feedMaps) beat(number uint16, now uint64) error {
	return m.beats.Put(uint32(number), now)
}

// forbids reports whether an error is that of a bpf(2) which looks at nothing: of the kernel, for want of
// CAP_BPF, or of a seccomp filter. Of a file it is EACCES.
func forbids(err error) bool { return errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) }

// pinFault says what is to be done about an error of a pinned map.
func pinFault(dir string, err error) error {
	switch {
	case forbids(err):
		return fmt.Errorf("%w: allow it the system call bpf (of systemd SystemCallFilter=bpf, of a container its capability BPF), "+
			"and before Linux 6.0 give it CAP_BPF: %w", ErrForbidden, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("filter: no maps are pinned in %s: start sallyport-filter there, with -dir %s: %w", dir, dir, fs.ErrNotExist)
	case errors.Is(err, ErrVersion):
		return fmt.Errorf("%w: run a sallyport-filter of this program's own version, which replaces those in %s", err, dir)
	case errors.Is(err, fs.ErrPermission):
		if closed := notEntered(filepath.Dir(filepath.Clean(dir))); closed != "" {
			return fmt.Errorf("filter: user %d may not enter %s: as root, chmod o+x %s: %w", os.Geteuid(), closed, closed, fs.ErrPermission)
		}
		return fmt.Errorf("filter: the maps in %s are not user %d's: start sallyport-filter with -user %d: %w", dir, os.Geteuid(), os.Geteuid(), fs.ErrPermission)
	}
	return fmt.Errorf("filter: the maps in %s cannot be opened: %w", dir, err)
}

// notEntered returns the first directory, of one and those above it, that this process may not enter.
func notEntered(dir string) (closed string) {
	if up := filepath.Dir(dir); up != dir {
		closed = notEntered(up)
	}
	if closed == "" && errors.Is(unix.Faccessat(unix.AT_FDCWD, dir, unix.X_OK, unix.AT_EACCESS), unix.EACCES) {
		closed = dir
	}
	return closed
}
