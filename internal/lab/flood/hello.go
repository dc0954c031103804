//go:build linux

package flood

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/transport"
)

// firstHello returns the datagram by which a client begins: a first ClientHello.
func firstHello() ([]byte, error) {
	nobody, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	defer nobody.Close() //nolint:errcheck // nothing is lost with it
	ctx, cancel := context.WithCancel(context.Background())
	var dialing sync.WaitGroup
	dialing.Go(func() {
		_, _ = transport.Dial(ctx, nobody.LocalAddr().String(), transport.ClientConfig{ // it is cut short
			Token: func(context.Context) ([]byte, error) { return []byte("none"), nil },
		})
	})
	defer dialing.Wait()
	defer cancel()
	b := make([]byte, 2048)
	_ = nobody.SetReadDeadline(time.Now().Add(startTime)) // a socket has deadlines
	n, _, err := nobody.ReadFromUDP(b)
	if err != nil {
		return nil, fmt.Errorf("flood: a client has sent no ClientHello: %w", err)
	}
	return b[:n], nil
}
