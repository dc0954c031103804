package main

// Exit statuses, on which scripts rely.
const (
	exitOK          = 0
	exitFailed      = 1   // nothing was done, or a check has failed
	exitUsage       = 2   // a flag, an argument or a file that it names: nobody was asked
	exitPartly      = 3   // some servers have done it, and others have not
	exitInterrupted = 130 // by a signal
)

// exitHelp documents the exit statuses at the end of the program's help.
const exitHelp = `Exit status:
    0  done, by every server that was asked
    1  not done, or a check has failed
    2  a flag, an argument or a file could not be used: nobody was asked
    3  some servers have done it, and others have not
  130  interrupted
`
