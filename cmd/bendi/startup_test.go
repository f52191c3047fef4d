package main

import (
	"crypto/x509"
	"net"
	"testing"
)

func TestUnderName(t *testing.T) {
	for _, tt := range []struct {
		names []string
		ips   []string
		want  string
	}{
		{[]string{"llm.example"}, nil, "https://llm.example:8443"},
		{[]string{"*.example", "llm.example"}, []string{"10.0.0.7"}, "https://llm.example:8443"},
		{[]string{"llm.example"}, []string{"127.0.0.1"}, "https://127.0.0.1:8443"},
		{nil, []string{"10.0.0.7"}, "https://10.0.0.7:8443"},
		{[]string{"*.example"}, nil, "https://127.0.0.1:8443"},
	} {
		cert := &x509.Certificate{DNSNames: tt.names}
		for _, ip := range tt.ips {
			cert.IPAddresses = append(cert.IPAddresses, net.ParseIP(ip))
		}
		if have := underName("https://127.0.0.1:8443", cert); have != tt.want {
			t.Errorf("of %v %v: have %s, want %s", tt.names, tt.ips, have, tt.want)
		}
	}
}
