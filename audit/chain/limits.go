package chain

const (
	// maxLine is the longest line in bytes that is looked at. The sink's are below 8 KiB.
	maxLine = 1 << 16

	// maxChains is of how many chains something is remembered at once: 4,096 restarts. Of more,
	// the quarter without a line for the longest time is judged as it is.
	maxChains = 1 << 12

	// maxRuns is how many runs of lines, with gaps between them, are remembered: 40 MB. Of more, the
	// first gap counts as lines that are missing, even if they come later.
	maxRuns = 1 << 17

	// maxAlike is how many lines with the same number wait for the line that says which is genuine.
	maxAlike = 4

	// recentLines is of how many of the last lines of a chain the hash is remembered, for a chain
	// that says to come after one of them.
	recentLines = 8

	// maxClaims is how many chains may come after lines of one chain that are not there yet.
	maxClaims = 64

	// tailLen is how much of the end of a file Last reads, in bytes: some hundred lines.
	tailLen = 1 << 18
)
