package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/sallyport/sallyport/audit/chain"
	"github.com/sallyport/sallyport/fleet/internal/show"
	"github.com/sallyport/sallyport/fleetkey"
)

const (
	// roomWarn is what a flood writes in some days at 100 lines a second and 700 bytes each, and
	// roomFail in half an hour.
	roomWarn = 10 << 30
	roomFail = 100 << 20

	// filesWarn is the usual limit, and enough; filesFail leaves none for a status page beside
	// sockets and files.
	filesWarn = 1024
	filesFail = 128
)

// secret reads a file that nobody but its owner may read. Do says what to do about the error.
func secret(path string) (text []byte, do string, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "Make it, or correct the path.", fmt.Errorf("there is no %s", path)
	case err != nil:
		return nil, "Correct the path, or who may read it.", err
	case !info.Mode().IsRegular():
		return nil, "Put a regular file there.", fmt.Errorf("%s is no regular file", path)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return nil, "chmod 600 " + path, fmt.Errorf("others than its owner may read %s (mode %04o)", path, info.Mode().Perm())
	}
	if text, err = os.ReadFile(path); err != nil {
		return nil, "Run this as the user that the server runs as, which must own the file.", err
	}
	return text, "", nil
}

// checkFleetKeys reads the keys that a fleet shares.
func checkFleetKeys(e *examination) result {
	if e.fleetKeys == "" {
		return skip("no -fleet-keys")
	}
	text, do, err := secret(e.fleetKeys)
	if err != nil {
		return fail(do, "%v", err)
	}
	defer clear(text)
	keys, err := fleetkey.Parse(text)
	if err == nil && len(keys) == 0 {
		err = errors.New("there is no key in it")
	}
	if err == nil {
		_, err = fleetkey.NewRing(keys...)
	}
	if err != nil {
		return fail("(umask 077; sallyport-server -new-fleet-key > FILE) makes one; the same file belongs on each server.", "%s: %v", e.fleetKeys, err)
	}
	var ids []string
	for _, k := range keys {
		ids = append(ids, fmt.Sprintf("%08x", k.ID()))
		k.Wipe()
	}
	return ok("%s holds %s, %s; the first one seals", e.fleetKeys, show.Count(len(ids), "key"), strings.Join(ids, ", "))
}

// checkAudit looks at where the lines go, and at what signs them.
func checkAudit(e *examination) result {
	if e.audit == "" && e.auditKey == "" {
		return skip("no -audit")
	}
	signs := "; its lines are no chain (-audit-key)"
	if e.auditKey != "" {
		text, do, err := secret(e.auditKey)
		if err != nil {
			return fail(do, "%v", err)
		}
		defer clear(text)
		signer, err := chain.ParseSigner(text)
		if err != nil {
			return fail("sallyport audit keygen makes one.", "%s: %s", e.auditKey, strings.TrimPrefix(err.Error(), "chain: "))
		}
		signs = "; key " + keyID(signer) + " signs"
	}
	if e.audit == "" {
		return ok("%s", strings.TrimPrefix(signs, "; "))
	}
	dir := filepath.Dir(e.audit)
	if r := writable(e.audit); r.State != stateOK {
		return r
	}
	if info, err := os.Stat(e.audit); err == nil && info.Mode().Perm()&0o022 != 0 && runtime.GOOS != "windows" {
		return fail("chmod 600 "+e.audit, "others than its owner may write %s (mode %04o)", e.audit, info.Mode().Perm())
	}
	free, err := e.host.room(dir)
	found := fmt.Sprintf("%s can be written, with %s free%s", e.audit, size(free), signs)
	const do = "Rotate (logrotate, then SIGHUP) and ship old files, or give the folder a larger disk. Lines that do not fit are lost."
	switch {
	case err != nil:
		return ok("%s can be written%s", e.audit, signs)
	case free < roomFail:
		return fail(do, "%s", found)
	case free < roomWarn:
		return warn(do, "%s", found)
	}
	return ok("%s", found)
}

// checkSnapshot looks at the folder of the snapshot, which is as secret as the sessions in it.
func checkSnapshot(e *examination) result {
	if e.snapshot == "" {
		return skip("no -snapshot")
	}
	dir := filepath.Dir(e.snapshot)
	if e.fleetKeys == "" {
		return fail("Give the server -fleet-keys, and this program, too.", "-snapshot is sealed by fleet keys, and there are none")
	}
	if r := writable(filepath.Join(dir, "file")); r.State != stateOK {
		return r
	}
	if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o022 != 0 && runtime.GOOS != "windows" {
		do := "chmod 700 " + dir
		if info.Mode()&os.ModeSticky != 0 { // everybody's, as /tmp is
			do = "Give it a folder of its own: install -d -o USER -m 0700 /var/lib/sallyport"
		}
		return fail(do, "others than its owner may write to %s (mode %04o), and so make a snapshot count twice", dir, info.Mode().Perm())
	}
	return ok("%s can be written, by its owner alone", dir)
}

// writable reports whether a file can be appended to, or made where there is none.
func writable(path string) result {
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return fail("install -d -o USER -m 0700 "+dir, "there is no folder %s", dir)
	}
	if _, err := os.Stat(path); err == nil {
		file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return fail("Have the server's user own it: chown USER "+path, "%v", err)
		}
		file.Close() //nolint:errcheck // nothing was written
		return ok("")
	}
	file, err := os.CreateTemp(dir, ".sallyport-doctor-*")
	if err != nil {
		return fail("Have the server's user own the folder, and the unit write to it (LogsDirectory=, StateDirectory=): chown USER "+dir, "%s cannot be written: %v", dir, err)
	}
	file.Close()           //nolint:errcheck // nothing was written
	os.Remove(file.Name()) //nolint:errcheck // likewise
	return ok("")
}

// checkFiles looks at how many files the server may open.
func checkFiles(e *examination) result {
	n, err := e.host.files()
	const do = "LimitNOFILE=65536 in the unit, or ulimit -n 65536 before the server starts."
	switch {
	case err != nil:
		return skip(err.Error())
	case n < filesFail:
		return fail(do, "a process may open %d files, and a server has a socket for each core besides its files", n)
	case n < filesWarn:
		return warn(do, "a process may open %d files", n)
	}
	return ok("a process may open %d files", n)
}

// size says a number of bytes.
func size(n uint64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", n)
}
