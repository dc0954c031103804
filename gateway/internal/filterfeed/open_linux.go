package filterfeed

import (
	"errors"
	"log/slog"

	"github.com/sallyport/sallyport/filter"
)

const supported = true

// open makes a feed of what is pinned in a directory, or will be.
func open(dir string, port uint16, log *slog.Logger) (source, error) {
	if err := filter.Check(dir); errors.Is(err, filter.ErrConfig) || errors.Is(err, filter.ErrForbidden) {
		return nil, err
	}
	return filter.NewFeed(filter.FeedConfig{Port: port, Dir: dir, Log: log})
}
