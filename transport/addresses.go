package transport

import (
	"time"

	"github.com/sallyport/sallyport/internal/resume"
)

// saveAddresses writes where players live or have lived lately.
func (h *handover) saveAddresses(w *resume.Writer) error {
	s := h.server
	for addr, seen := range s.endpoint.Live().All(s.clock.now()) {
		if err := w.Live(resume.LiveAddress{Addr: addr, Seen: s.clock.at(seen).UnixMilli()}); err != nil {
			return err
		}
	}
	return nil
}

// restoreAddresses takes over what another process has saved.
func (h *handover) restoreAddresses(list []resume.LiveAddress) {
	s := h.server
	now := s.clock.now()
	for _, e := range list {
		if seen := time.UnixMilli(e.Seen); !seen.After(now) {
			s.endpoint.Live().Note(seen, e.Addr)
		}
	}
}
