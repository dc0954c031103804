package transport

import (
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/udp"
)

// posted is a message that does whatever a test likes.
type posted func(now time.Time)

func (f posted) Deliver(now time.Time) { f(now) }

// first is the shard that Poll works.
func (s *Server) first() *shard { return shardOf(s.endpoint.First()) }

// newShard makes a shard on another socket.
func (s *Server) newShard(sock udp.Socket, index int) *shard {
	return s.endpoint.NewShard(sock, index).User.(*shard)
}

// use has the server work other shards than its own.
func (s *Server) use(shards ...*shard) {
	var links []*dtls.Shard
	for _, sh := range shards {
		links = append(links, sh.Shard)
	}
	s.endpoint.Use(links...)
}
