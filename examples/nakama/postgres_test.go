//go:build linux

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/sallyport/sallyport/internal/testkit"
)

// databasePackage is the Debian package that PostgreSQL comes in.
const databasePackage = "postgresql"

// databaseBin finds the folder of PostgreSQL's programs, and installs them if that is possible.
var databaseBin = sync.OnceValues(func() (string, error) {
	if dir, ok := findDatabase(); ok {
		return dir, nil
	}
	err := testkit.Install(databasePackage)
	if dir, ok := findDatabase(); ok {
		return dir, nil
	}
	return "", errors.Join(errors.New("PostgreSQL is missing"), err)
})

// findDatabase looks where programs are and where Debian puts these.
func findDatabase() (dir string, ok bool) {
	places, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // a constant pattern
	if p, err := exec.LookPath("initdb"); err == nil {
		places = append(places, p)
	}
	if len(places) == 0 {
		return "", false
	}
	return filepath.Dir(places[len(places)-1]), true
}

// nobody is whom a database runs as when the test runs as root, which PostgreSQL refuses to.
const nobody = 65534

// database is a PostgreSQL that runs beside the test. As Debian's, it asks for a password by TCP, and knows its
// superuser by the socket.
type database struct{ bin, folder, port string }

// psql is the command of the superuser.
func (d database) psql() []string {
	program := filepath.Join(d.bin, "psql")
	if found, err := exec.LookPath("psql"); err == nil {
		program = found
	}
	return []string{program, "-h", d.folder, "-p", d.port, "-U", "postgres"}
}

// address makes a user and a database, and returns the address as Nakama takes it.
func (d database) address(t *testing.T) string {
	t.Helper()
	psql := d.psql()
	run(t, nil, psql[0], append(psql[1:], "-c", "CREATE ROLE nakama LOGIN PASSWORD 'nakama'",
		"-c", "CREATE DATABASE nakama OWNER nakama")...)
	return "nakama:nakama@127.0.0.1:" + d.port + "/nakama"
}

// startDatabase starts a fresh PostgreSQL on a loopback port.
func startDatabase(t *testing.T, bin string) database {
	t.Helper()
	dir, err := os.MkdirTemp("", "nakama-db") // not of the test's own: nobody could not reach into it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) }) //nolint:errcheck // a folder in the system's temporary one
	attr := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 {
		attr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	data, port := filepath.Join(dir, "data"), testkit.FreePort(t)
	run(t, attr, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "--auth-local=trust", "--auth-host=scram-sha-256", "-N", "--locale=C", "-EUTF8")
	db := start(t, attr, filepath.Join(bin, "postgres"), "-D", data, "-h", "127.0.0.1", "-p", port, "-k", dir, "-F")
	db.await(t, "ready to accept connections")
	return database{bin, dir, port}
}
