package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// newSites makes the sites; what is left of earlier ones goes.
func newSites(l *line, control string) (*sites, error) {
	t := &sites{line: l}
	for i := range t.ends {
		name := l.site(i)
		exec.Command("ip", "netns", "del", name).Run() // where there is none, so much the better
		end, err := openTun(name)
		if err != nil {
			t.close()
			return nil, fmt.Errorf("making the device %s (root and /dev/net/tun are needed): %w", name, err)
		}
		t.ends[i] = end
		here, there := fmt.Sprintf("10.99.0.%d", i+1), fmt.Sprintf("10.99.0.%d", 2-i)
		steps := []string{
			"netns add " + name,
			"link set " + name + " netns " + name,
			"-n " + name + " addr add " + here + " peer " + there + " dev " + name,
			"-n " + name + " link set " + name + " up mtu 1500",
			"-n " + name + " link set lo up",
			// What one connection has learnt about the line is nothing to the next.
			"netns exec " + name + " sysctl -qw net.ipv4.tcp_no_metrics_save=1",
		}
		if control != "" {
			steps = append(steps, "netns exec "+name+" sysctl -qw net.ipv4.tcp_congestion_control="+control)
		}
		for _, step := range steps {
			if out, err := exec.Command("ip", strings.Fields(step)...).CombinedOutput(); err != nil {
				t.close()
				if strings.Contains(step, "tcp_congestion_control") {
					return nil, fmt.Errorf("a site cannot have the control %s: allow it on the machine, in sysctl net.ipv4.tcp_allowed_congestion_control, or leave --congestion empty", control)
				}
				return nil, fmt.Errorf("ip %s: %w: %s", step, err, out)
			}
		}
	}
	go l.carry(t.ends[0], t.ends[1], 1, &t.there)
	go l.carry(t.ends[1], t.ends[0], 2, &t.back)
	return t, nil
}

// sites are two network namespaces with a line between them.
type sites struct {
	line        *line
	ends        [2]*os.File
	there, back count
}

func (t *sites) counts() string {
	return fmt.Sprintf("a to b: %d packets, %d lost, %d without room; b to a: %d, %d, %d",
		t.there.carried.Load(), t.there.lost.Load(), t.there.full.Load(), t.back.carried.Load(), t.back.lost.Load(), t.back.full.Load())
}

func (t *sites) close() {
	for i, end := range t.ends {
		if end != nil {
			end.Close()
			exec.Command("ip", "netns", "del", t.line.site(i)).Run()
		}
	}
}

// openTun makes a device of which every packet is read and written here.
func openTun(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	request, err := unix.NewIfreq(name)
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}
