package endurance

import "time"

const (
	// MinDuration is the shortest run: a round of each group, and time to join and to leave.
	MinDuration = 45 * time.Second

	// MinPlayers gives each group some.
	MinPlayers = 40

	// Tick is how often the server ticks, in ticks a second: thousands of players on two cores.
	Tick = 10

	// MaxGrowth is by how much resident memory may grow in growthTime, in bytes. JudgeMemoryFrom is from what length
	// of a run that is judged.
	MaxGrowth       = 2 << 20
	growthTime      = 2 * time.Hour
	JudgeMemoryFrom = 30 * time.Minute

	// collect is the variable that says by how much a program's memory may grow before garbage is collected, in percent
	// of what is in use. At collectAt what is resident of the server's process is little more than what it keeps: what is
	// judged is whether that grows.
	collect   = "GOGC"
	collectAt = "25"

	// settled is from when goroutines, heap and descriptors must be flat, warm from when resident memory must.
	settled = 10 * time.Second
	warm    = time.Minute

	// usualLife is how long the tokens of all others live: who stays renews many times in an hour, and what the server
	// keeps of tokens is as much after some minutes as after hours.
	usualLife = 5 * time.Minute

	// roundTime is how long a round takes, and tokenLife how long the tokens of impaired players live.
	// The last third of a life is for its renewal, and a busy machine's worst is a second.
	roundTime = 16 * time.Second
	tokenLife = 12 * time.Second

	// teamSize is how many players a team has at most, and between how long after one team the next one begins: all at
	// once would be busy with handshakes for a long time, and leave at once, too.
	teamSize = 50
	between  = 200 * time.Millisecond

	// blackout is how long a path is lost.
	blackout = 3 * time.Second

	// beside is how many honest players there are beside an attack, and besideRate how many inputs a second they send.
	beside     = 5
	besideRate = 60

	// attackTime is how long an attack takes at most, on a busy machine.
	attackTime = 20 * time.Second

	// rest is what a run leaves for players to leave.
	rest = 4 * time.Second

	// few is how many goroutines and descriptors more than before are no growth: handshakes under way.
	few = 24
)
