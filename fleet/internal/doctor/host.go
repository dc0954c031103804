package doctor

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/internal/udp"
)

// host is the machine. Tests have others.
type host struct {
	now       func() time.Time
	listen    func(address string) (udp.Socket, error)
	proc      string // where the kernel's files are
	addresses func() ([]net.Addr, error)

	offload func() (send, receive bool, err error) // UDP_SEGMENT, UDP_GRO
	synced  func() (bool, error)                   // the kernel takes its clock for synchronised
	room    func(dir string) (bytes uint64, err error)
	files   func() (uint64, error) // that a process may open

	build func() (*debug.BuildInfo, bool) // of this program
}

// errUnknown is returned where a system does not tell.
var errUnknown = errors.New("this system does not tell")

func thisHost() host {
	return host{
		now: time.Now, listen: udp.Listen, proc: "/proc", addresses: net.InterfaceAddrs,
		offload: offload, synced: synced, room: room, files: files, build: debug.ReadBuildInfo,
	}
}

// sysctl reads a setting of the kernel that is a number.
func (h host) sysctl(name string) (int, error) {
	text, err := os.ReadFile(filepath.Join(h.proc, "sys", strings.ReplaceAll(name, ".", "/")))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
