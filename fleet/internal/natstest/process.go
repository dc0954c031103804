package natstest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// variable is set in the environment of a child, to its configuration file.
const variable = "SALLYPORT_NATSTEST_FILE"

// ready is what a child says once clients can connect.
const ready = "ready"

// IsChild reports whether this process is to be a Child.
func IsChild() bool { return os.Getenv(variable) != "" }

// Child runs a server until standard input ends, and returns the exit status of the process.
func Child() int {
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE)
	s, err := startFile(os.Getenv(variable))
	if err != nil {
		fmt.Println(err) //nolint:errcheck // the exit status says it too
		return 1
	}
	fmt.Println(ready)            //nolint:errcheck // a parent that is gone ends standard input
	io.Copy(io.Discard, os.Stdin) //nolint:errcheck // an error ends it too
	s.Shutdown()
	s.WaitForShutdown()
	return 0
}

// errNoChild keeps a program that does not know of children from starting itself again and again.
var errNoChild = errors.New("natstest: main must begin as the package comment says")

// Process is a server in a process of its own.
type Process struct {
	config  Config
	command *exec.Cmd
	in      io.Closer
}

// StartProcess starts a server in a process of its own, on the ports of c. Close it when done.
func StartProcess(c Config) (*Process, error) {
	if IsChild() {
		return nil, errNoChild
	}
	if err := c.write(); err != nil {
		return nil, err
	}
	name, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &Process{config: c, command: exec.Command(name)}
	p.command.Env = append(os.Environ(), variable+"="+c.file())
	if p.in, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	if err := p.await(out); err != nil {
		return nil, errors.Join(err, p.Kill())
	}
	return p, nil
}

// await waits until the child says that it is ready.
func (p *Process) await(out io.Reader) error {
	killer := time.AfterFunc(startTime+time.Second, func() { p.command.Process.Kill() })
	defer killer.Stop()
	line := bufio.NewScanner(out)
	if !line.Scan() || line.Text() != ready {
		return fmt.Errorf("natstest: the server's process does not start: %q; see %s", line.Text(), p.config.log())
	}
	go io.Copy(io.Discard, out) //nolint:errcheck // ends with the child
	return nil
}

// Kill ends the process at once, as a failing machine would, and returns when it is gone.
func (p *Process) Kill() error {
	if p.command.ProcessState != nil {
		return nil
	}
	p.command.Process.Kill() //nolint:errcheck // it may be gone
	p.command.Wait()         //nolint:errcheck // it has been killed
	return nil
}

// Close has the server end in an orderly way, and returns when the process is gone.
func (p *Process) Close() error {
	if p.command.ProcessState != nil {
		return nil
	}
	killer := time.AfterFunc(startTime, func() { p.command.Process.Kill() })
	defer killer.Stop()
	p.in.Close() //nolint:errcheck // it may be gone
	return p.command.Wait()
}
