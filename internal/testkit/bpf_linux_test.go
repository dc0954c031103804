package testkit

import (
	"os"
	"syscall"
	"testing"
)

// A BPF file system is one, is the test's own, and is gone after the test.
func TestBPFDir(t *testing.T) {
	const magic = 0xcafe4a11 // BPF_FS_MAGIC of linux/magic.h
	var root string
	t.Run("mounted", func(t *testing.T) {
		dir := BPFDir(t)
		var s syscall.Statfs_t
		if err := syscall.Statfs(dir, &s); err != nil || uint32(s.Type) != magic || dir == BPFDir(t) {
			t.Errorf("type %#x, %v", s.Type, err)
		}
		root = dir
	})
	if root == "" {
		t.Skip("BPF is not allowed here")
	}
	if _, err := os.Stat(root); !os.IsNotExist(err) {
		t.Errorf("after the test: %v", err)
	}
}
