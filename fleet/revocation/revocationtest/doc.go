// Package revocationtest has a carrier in memory for tests, which loses, repeats, reorders, forges and
// forgets as a test chooses.
//
//	broker := revocationtest.NewBroker(1)
//	carrier := broker.Carrier()        // one for each process
//	carrier.Cut(true)                  // this process is partitioned
//	broker.Disturb(revocationtest.Faults{Lose: 0.3, Repeat: 0.1, Hold: 0.1})
//	backup := broker.Backup()
//	broker.Restore(backup)             // the stored state is rolled back; nil empties it
//
// It needs no goroutine: a message has been handed over when Publish returns.
package revocationtest
