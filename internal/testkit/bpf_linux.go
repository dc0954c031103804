package testkit

import (
	"errors"
	"syscall"
	"testing"
)

// AllowBPF fails a test for an error of a call that needs BPF. It skips the test, in CI as well, where the machine
// does not permit us to load programs.
func AllowBPF(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOSYS):
		t.Skipf("BPF is not allowed here: %v", err)
	default:
		t.Fatal(err)
	}
}

// BPFDir returns the root of a BPF file system that is the test's own.
func BPFDir(t testing.TB) string {
	t.Helper()
	root := t.TempDir()
	AllowBPF(t, syscall.Mount("bpf", root, "bpf", 0, ""))
	t.Cleanup(func() {
		if err := syscall.Unmount(root, 0); err != nil {
			t.Error(err)
		}
	})
	return root
}
