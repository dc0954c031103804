package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/transport"
)

// play returns when ctx is done, having printed what it has seen, or when the session ends earlier.
func play(ctx context.Context, client *transport.Client) error {
	go walk(client)
	var last []byte
	for snapshot := make([]byte, client.MaxPayload()); ; {
		n, err := client.Receive(ctx, snapshot)
		if ctx.Err() != nil { // time is over
			printTable(client.Stats(), last)
			return nil
		}
		if err != nil {
			return err
		}
		last = append(last[:0], snapshot[:n]...)
	}
}

// walk sends an input 60 times a second until the session is over: a direction, which is another
// one every second.
func walk(client *transport.Client) {
	directions := [4][]byte{{1, 0}, {0, 1}, {0xff, 0}, {0, 0xff}}
	for i := 0; client.Send(directions[i/60%4]) == nil; i++ {
		time.Sleep(time.Second / 60)
	}
}

// printTable prints a snapshot: id, x and y of each player.
func printTable(s transport.ClientStats, snapshot []byte) {
	fmt.Printf("inputs      %d sent\nsnapshots   %d received\nround trip  %v\n\n",
		s.Sent, s.Received, s.RTT.Round(100*time.Microsecond))
	fmt.Println("   session     x     y")
	for ; len(snapshot) >= 8; snapshot = snapshot[8:] {
		x, y := binary.BigEndian.Uint16(snapshot[4:]), binary.BigEndian.Uint16(snapshot[6:])
		fmt.Printf("%10d %5d %5d\n", binary.BigEndian.Uint32(snapshot), x, y)
	}
}
