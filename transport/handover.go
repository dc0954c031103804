package transport

import (
	"fmt"
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/resume"
)

// handover is what a server takes over of the process before, and leaves to the next one, by
// Config.Snapshot.
type handover struct {
	server   *Server           // constant
	restored []*resume.Session // until the first turn
	made     time.Time         // when they were saved
	settled  sync.Once         // they have been given to their shards
}

// depart hands all sessions on, or ends them, whatever a handler does.
func (h *handover) depart(shards []*shard, late *panics) (err error) {
	s := h.server
	if s.lifetime.closed.Load() {
		return nil
	}
	for _, sh := range shards {
		sh.handler = late.guarded(sh.handler.withDefaults())
		now := s.clock.now()
		for _, k := range sh.closings() { // the next process would know nothing of them
			k.Deliver(now)
		}
	}
	if s.config.Snapshot != "" {
		if err = h.handOver(shards); err == nil {
			return nil
		}
		s.audit.now(audit.Event{Decision: audit.Alarm, Detail: "the snapshot was not written, and its sessions end" + said(err)})
		err = fmt.Errorf("transport: the snapshot was not written: %w", err)
	}
	for _, sh := range shards {
		sh.refuseNewcomers(s.clock.now())
	}
	h.deliver(shards)
	for _, sh := range shards {
		sh.shutdown(s.clock.now())
	}
	return err
}

// deliver acts on all messages to the shards. A match may put players out because another one
// leaves.
func (h *handover) deliver(shards []*shard) {
	for more := true; more; {
		more = false
		for _, sh := range shards {
			more = sh.Delivered(h.server.clock.now()) || more
		}
	}
}

// settle gives the sessions that takeOver has brought to the shards that their connection ids
// name, once it is known how many shards there are.
func (h *handover) settle() {
	h.settled.Do(func() {
		lists := make(map[*shard][]*resume.Session)
		for _, r := range h.restored {
			home := shardOf(h.server.endpoint.Home(r.ConnectionID))
			lists[home] = append(lists[home], r)
		}
		h.restored = nil
		for sh, list := range lists {
			sh.Post(restored{sh, list, h.made})
		}
	})
}
