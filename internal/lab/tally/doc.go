// Package tally counts by name: what a server drops, and what it decides.
//
//	Counts    numbers by name: their difference, their sum, their text
//	Counter   Counts that grow, for several goroutines
//	Trail     the decisions of a server, as its audit.Sink or from the lines of another one
package tally
