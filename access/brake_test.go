package access_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"bendi/access"
)

func TestBrake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b access.Brake
		addr := netip.MustParseAddr("192.0.2.7")
		for range 100 {
			if s := b.Fail(addr); s.Wait != 0 || !s.Note {
				t.Fatalf("without a limit: %+v", s)
			}
		}
		b.Limit(6)
		fail := func(addr string, n int) (waited, noted int) {
			t.Helper()
			for range n {
				s := b.Fail(netip.MustParseAddr(addr))
				if s.Wait > 0 {
					waited++
				}
				if s.Note {
					noted++
				}
				if s.Wait < 0 || s.Wait > 10*time.Second {
					t.Errorf("to wait %v, want 10 s at the most", s.Wait)
				}
			}
			return waited, noted
		}
		check := func(title, addr string, n, wantWaited, wantNoted int) {
			t.Helper()
			if waited, noted := fail(addr, n); waited != wantWaited || noted != wantNoted {
				t.Errorf("%s: of %d failures %d have to wait and %d are noted, want %d and %d", title, n, waited, noted, wantWaited, wantNoted)
			}
		}
		check("an address", "192.0.2.7", 20, 14, 7)
		check("the same, as IPv6 has it", "::ffff:192.0.2.7", 3, 3, 0)
		check("another", "192.0.2.8", 6, 0, 6)
		check("a network of IPv6", "2001:db8::1", 4, 0, 4)
		check("another of its addresses", "2001:db8::ffff:2", 4, 2, 3)
		check("the next network", "2001:db8:0:1::1", 4, 0, 4)
		time.Sleep(10 * time.Second)
		check("after a sixth of a minute", "192.0.2.7", 2, 1, 1)
		time.Sleep(50 * time.Second)
		check("after a minute", "192.0.2.7", 6, 1, 6)
		time.Sleep(time.Hour)
		check("after an hour", "192.0.2.7", 7, 1, 7)
	})
}

// However many addresses there are, old ones are let go for new ones.
func TestBrakeOfManyAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b access.Brake
		b.Limit(1)
		addr := netip.MustParseAddr("10.0.0.0")
		for range 100_000 {
			addr = addr.Next()
			if s := b.Fail(addr); s.Wait != 0 {
				t.Fatalf("the first failure of %v has to wait", addr)
			}
		}
		if s := b.Fail(addr); s.Wait == 0 {
			t.Error("the second failure of an address does not have to wait")
		}
	})
}
