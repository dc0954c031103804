package added

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/sallyport/sallyport/dev"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/gateway/sidecar"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// most is how many players a child admits; all come from one address.
const most = 8192

// Child is a server process: mode is "library", "sidecar" or "game", which has the addresses of the
// game and of the sidecar behind it. It ends with in. self is this program. What it says on standard
// error is of the measurement: only errors are logged, by the whole process.
func Child(self string, mode []string, in io.Reader, out io.Writer) error {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	switch mode[0] {
	case "library":
		return library(in, out)
	case "sidecar":
		return beside(self, in, out)
	case "game":
		return game(mode[1], mode[2])
	}
	return fmt.Errorf("no mode %q", mode)
}

// config is what both servers have in common.
func config() (*dev.Login, transport.Config, error) {
	login, err := dev.NewLogin(dev.Config{Address: "127.0.0.1:0"})
	if err != nil {
		return nil, transport.Config{}, err
	}
	c := login.Config()
	c.Sources, c.MaxUnproven = policy.SourceConfig{PerSecond: most, Burst: most}, most
	c.Session = session.Config{MaxPerSubject: -1}
	return login, c, nil
}

func library(in io.Reader, out io.Writer) error {
	login, c, err := config()
	if err != nil {
		return err
	}
	server, err := transport.Listen("127.0.0.1:0", c)
	if err != nil {
		return err
	}
	go login.Serve(server.Addr())                                                                  //nolint:errcheck // ends with the process
	go server.Serve(transport.Handler{Receive: func(p *transport.Player, b []byte) { p.Send(b) }}) //nolint:errcheck // likewise
	return answer(login, in, out)
}

func beside(self string, in io.Reader, out io.Writer) error {
	login, c, err := config()
	if err != nil {
		return err
	}
	own, side := free(), free()
	backend, err := sidecar.New(sidecar.Config{Game: own, Own: side})
	if err != nil {
		return err
	}
	c.Shards = gateway.ShareProcessors()
	g, err := gateway.New(gateway.Config{Listen: "127.0.0.1:0", Transport: c, Backend: backend, MaxPlayers: most})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "child", "game", own, side)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { cancel(); cmd.Wait() }() //nolint:errcheck // it is killed
	go login.Serve(g.Addr())                //nolint:errcheck // ends with the process
	go g.Serve(ctx)                         //nolint:errcheck // likewise
	for g.Ready() != nil {
		time.Sleep(10 * time.Millisecond)
	}
	return answer(login, in, out)
}

// free returns an address of the loopback interface.
func free() string {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return "127.0.0.1:0"
	}
	defer conn.Close() //nolint:errcheck // it has never read
	return conn.LocalAddr().String()
}

// answer tells the parent where the login is, and how busy this process was whenever it asks.
func answer(login *dev.Login, in io.Reader, out io.Writer) error {
	fmt.Fprintln(out, login.Addr())
	for lines := bufio.NewScanner(in); lines.Scan(); {
		spent, err := cpu()
		if err != nil {
			return err
		}
		fmt.Fprintln(out, spent.Nanoseconds())
	}
	return nil
}

// game is a game process that sends everything back.
func game(own, side string) error {
	from, err := net.ResolveUDPAddr("udp", strings.TrimSpace(own))
	if err != nil {
		return err
	}
	to, err := net.ResolveUDPAddr("udp", strings.TrimSpace(side))
	if err != nil {
		return err
	}
	conn, err := net.DialUDP("udp", from, to)
	if err != nil {
		return err
	}
	conn.SetReadBuffer(4 << 20) //nolint:errcheck // as much as there is
	var (
		run        = uint32(os.Getpid()) | 1<<31
		peer, seen uint32
		in, out    = make([]byte, 1<<16), make([]byte, 0, 1<<16)
	)
	for {
		n, err := conn.Read(in)
		if err != nil {
			continue // the sidecar is away
		}
		h, body, err := sidecar.Parse(in[:n])
		if err != nil {
			continue
		}
		if h.Run != peer {
			peer, seen = h.Run, 0
		}
		answer := sidecar.Header{Kind: sidecar.Alive, Run: run, Peer: peer}
		if h.Peer == run && h.Kind == sidecar.Data {
			answer.Kind, answer.Lane, answer.Handle, answer.Key = sidecar.Data, h.Lane, h.Handle, h.Key
		} else {
			body = nil
		}
		if h.Peer == run && h.Number == seen+1 {
			seen = h.Number
		}
		answer.Number = seen
		out = append(answer.AppendTo(out[:0]), body...)
		conn.Write(out) //nolint:errcheck // as a network that loses
	}
}
