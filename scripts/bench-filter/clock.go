package main

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// threadTime is the processor time of this thread. Others on the machine do not
// make it longer, but for what they take from the caches.
func threadTime() time.Duration { return clock(unix.CLOCK_THREAD_CPUTIME_ID) }

// processTime is that of all threads, the garbage collector's included.
func processTime() time.Duration { return clock(unix.CLOCK_PROCESS_CPUTIME_ID) }

func clock(id int32) time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(id, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// best is the shortest time that f took in so many turns.
func best(turns int, f func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	least := time.Duration(1<<63 - 1)
	for range turns {
		begin := threadTime()
		f()
		least = min(least, threadTime()-begin)
	}
	return max(least, time.Microsecond)
}

// heap is what is alive.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
