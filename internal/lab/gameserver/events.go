package gameserver

import "github.com/sallyport/sallyport/audit"

// DefaultEvents is how many decisions are kept for the status page: two minutes of a full match that begins and ends,
// in less than a megabyte.
const DefaultEvents = 1000

// record returns the newest decisions, for the page, and config with a sink that takes them too. Where config keeps
// lines in a file, a player's pseudonym on the page is that in the file.
func record(config Config) (*audit.Recent, Config) {
	n := config.Events
	if n == 0 {
		n = DefaultEvents
	}
	recent := audit.NewRecent(n)
	if file, ok := config.Audit.(*audit.JSON); ok {
		recent = file.Recent(n)
	}
	config.Audit = audit.Tee(config.Audit, recent)
	return recent, config
}
