package sidecar

import (
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// unixScheme begins the address of a Unix datagram socket.
const unixScheme = "unix:"

// open makes the socket to the game. path is that of a game's Unix socket, which is to be connected;
// empty for UDP.
func open(c Config) (s *socket, path string, err error) {
	game, isUnix := strings.CutPrefix(c.Game, unixScheme)
	own, ownUnix := strings.CutPrefix(c.Own, unixScheme)
	if isUnix != ownUnix {
		return nil, "", badConfig("Game and Own must both be addresses, or both Unix sockets such as unix:/run/sallyport/game.sock")
	}
	var conn net.Conn
	if isUnix {
		conn, err = listenUnix(own, c.Mode)
		path = game
	} else {
		conn, err = dialUDP(game, own)
	}
	if err != nil {
		return nil, "", err
	}
	s, err = newSocket(conn)
	if err != nil {
		conn.Close() //nolint:errcheck // err says more
		return nil, "", err
	}
	return s, path, nil
}

// dialUDP makes a socket that is connected to the game: the kernel drops what others send to it.
func dialUDP(game, own string) (net.Conn, error) {
	to, err := loopback("Game", game)
	if err != nil {
		return nil, err
	}
	from, err := loopback("Own", own)
	if err != nil {
		return nil, err
	}
	conn, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(from), net.UDPAddrFromAddrPort(to))
	if err != nil {
		return nil, fmt.Errorf("sidecar: cannot use %s for the game: %w", own, err)
	}
	conn.SetReadBuffer(bufferLen) //nolint:errcheck // as much as the kernel gives
	return conn, nil
}

// loopback parses an address that only this machine reaches.
func loopback(field, s string) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(s)
	if err != nil || !a.Addr().IsLoopback() || field == "Game" && a.Port() == 0 {
		return a, badConfig("%s must be an address of the loopback interface with a port, such as %s: whoever reaches it speaks for the game", field, DefaultGame)
	}
	return a, nil
}

// listenUnix makes the sidecar's Unix socket. Only whom its permission bits let write can send to it.
func listenUnix(own string, mode fs.FileMode) (net.Conn, error) {
	info, err := os.Stat(filepath.Dir(own))
	switch {
	case err != nil:
		return nil, fmt.Errorf("sidecar: Own: make the folder of the socket first, of mode 0750 or less: %w", err)
	case info.Mode().Perm()&0o002 != 0:
		return nil, badConfig("Own: everybody may write to the folder of the socket, and so stand in for the game: give it a folder of its own, of mode 0750 or less")
	}
	if err := makeRoom(own); err != nil {
		return nil, err
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: own, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("sidecar: cannot make %s: %w", own, err)
	}
	if err := os.Chmod(own, mode); err != nil {
		conn.Close() //nolint:errcheck // err says more
		return nil, err
	}
	conn.SetReadBuffer(bufferLen)  //nolint:errcheck // as much as the kernel gives
	conn.SetWriteBuffer(bufferLen) //nolint:errcheck // likewise
	return conn, nil
}

// makeRoom removes what a process before has left. A socket at which somebody listens stays.
func makeRoom(own string) error {
	info, err := os.Lstat(own)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return nil // where it cannot be made ListenUnixgram says so
	}
	if conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: own, Net: "unixgram"}); err == nil {
		conn.Close() //nolint:errcheck // it has sent nothing
		return fmt.Errorf("sidecar: another process listens at %s: end it first, or choose another Own", own)
	}
	return os.Remove(own)
}
