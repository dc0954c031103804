package filter

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"
)

// version is that of the pinned maps: of what stands in them, and of what it means. It is raised with every change
// of either, since a Feed and a program that do not agree would keep players out. A map that has its name has it as
// its one value. 0 is that of maps that have none.
const version = 1

// agree returns an error unless the maps in a directory are of this version.
func agree(dir string) error {
	found, err := pinnedVersion(dir)
	if err == nil && found != version {
		err = fmt.Errorf("%w: they have version %d, and this program has %d", ErrVersion, found, version)
	}
	return err
}

// pinnedVersion is that of the maps in a directory.
func pinnedVersion(dir string) (found uint32, err error) {
	m, err := ebpf.LoadPinnedMap(filepath.Join(dir, versionName), nil)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer m.Close() //nolint:errcheck // it is only read from
	return found, m.Lookup(uint32(0), &found)
}

// renew removes maps of another version from a directory, and says there that those to come are of this one: before
// there are any, so that whoever finds them finds their version.
func renew(dir string) error {
	switch found, err := pinnedVersion(dir); {
	case err != nil:
		return fmt.Errorf("filter: the version of the maps: %w", err)
	case found == version:
		return nil
	}
	unpin(dir, append(pinned, versionName))
	m, err := ebpf.NewMap(&ebpf.MapSpec{Name: versionName, Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	if err != nil {
		return fmt.Errorf("filter: the version of the maps: %w", err)
	}
	defer m.Close() //nolint:errcheck // it is pinned, or nobody's
	if err = m.Put(uint32(0), uint32(version)); err == nil {
		err = m.Pin(filepath.Join(dir, versionName))
	}
	if err != nil {
		return fmt.Errorf("filter: the version of the maps: %w", err)
	}
	return nil
}

// unpin removes maps from a directory, for good once nobody has them open.
func unpin(dir string, names []string) {
	for _, name := range names {
		_ = os.Remove(filepath.Join(dir, name)) // if it is there
	}
}
