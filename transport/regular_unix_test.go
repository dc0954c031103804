//go:build unix

package transport

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
)

// odd puts what is no regular file at a path.
var odd = map[string]func(t *testing.T, path string){
	"a link": func(t *testing.T, path string) {
		write(t, path+" of somebody else", []byte("theirs"))
		if err := os.Symlink(path+" of somebody else", path); err != nil {
			t.Fatal(err)
		}
	},
	"a link to nothing": func(t *testing.T, path string) {
		if err := os.Symlink(path+" that is not there", path); err != nil {
			t.Fatal(err)
		}
	},
	"a pipe": func(t *testing.T, path string) {
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	},
	"a folder": folder,
	"a socket": func(t *testing.T, path string) {
		short := filepath.Join("/tmp", filepath.Base(filepath.Dir(filepath.Dir(path)))+".sock") // a socket's path is short
		l, err := net.Listen("unix", short)
		if err != nil {
			t.Fatal(err)
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		l.Close()
		if err := os.Rename(short, path); err != nil {
			t.Fatal(err)
		}
	},
}

// What is no regular file is not opened: it keeps nobody waiting, and is there afterwards as it was.
func TestOpenRegular(t *testing.T) {
	t.Parallel()
	for name, make := range odd {
		path := filepath.Join(t.TempDir(), "odd")
		make(t, path)
		before, _ := os.Lstat(path)
		if f, err := openRegular(path); err != errNoFile {
			t.Errorf("%s: %v, %v", name, f, err)
		}
		if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s: %v", name, err)
		}
	}
	path := filepath.Join(t.TempDir(), "file")
	if _, err := openRegular(path); !os.IsNotExist(err) {
		t.Errorf("nothing there: %v", err)
	}
	write(t, path, []byte("ours"))
	f, err := openRegular(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

// Whatever stands at the name of a snapshot, or of the list of those that were taken, Listen comes back at once, follows
// nothing, and says on record what is wrong. Nothing that is not the server's is changed.
func TestListenOddFiles(t *testing.T) {
	t.Parallel()
	for name, make := range odd {
		for _, suffix := range []string{"", ".taken", ".taking"} {
			t.Run(name+" as snapshot"+suffix, func(t *testing.T) {
				virtual(t, func(w *world) {
					fleet, path := w.fleet(t), ""
					r := w.run(fleet, func(c *Config) { path = c.Snapshot })
					s := w.stay(1, quietClient)
					time.Sleep(time.Second)
					w.end(r, r.shutdown)
					if suffix == "" {
						os.Remove(path)
					}
					make(t, path+suffix)
					r = w.run(fleet)
					time.Sleep(time.Second)
					want := 0
					switch suffix {
					case "":
						w.refusedSnapshot("a snapshot was refused: ", "not a regular file")
						if _, err := os.Lstat(path); err != nil {
							t.Error("what is not ours has gone")
						}
					case ".taken":
						w.refusedSnapshot("the sessions of a snapshot were refused: ", "not a regular file")
					case ".taking":
						if name == "a folder" {
							w.refusedSnapshot("a snapshot was refused: ", "cannot be used")
						} else if want = 1; w.audits(audit.Reject) > 0 {
							t.Error("refused")
						}
					}
					if n := r.Stats().Sessions; n != want {
						t.Errorf("%d sessions, want %d", n, want)
					}
					if name == "a link" && string(read(t, path+suffix+" of somebody else")) != "theirs" {
						t.Error("written through a link")
					}
					w.quit(r, s)
				})
			})
		}
	}
}
