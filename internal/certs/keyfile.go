package certs

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"os"
	"strings"
)

// key reads a private key that nobody else on this machine can read.
func (r *report) key(path string) crypto.Signer {
	const check = "key"
	text := r.readFile(check, path)
	if text == nil {
		return nil
	}
	r.secret(path)
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			r.add(Fail, check, r.text("the key in %s has a passphrase", "%s 中的私钥有口令保护", path), r.say("take it off, for nobody is there to type it: (umask 077; openssl pkey -in FILE -out FILE.plain)", "请去掉口令，因为启动时无人输入：(umask 077; openssl pkey -in 文件 -out 文件.plain)"))
			return nil
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if key := parseKey(block.Bytes); key != nil {
			return key
		}
		r.add(Fail, check, r.text("the key in %s cannot be read", "%s 中的私钥无法读取", path), r.say("want a key of ECDSA (P-256), RSA or Ed25519 in PKCS#8, SEC 1 or PKCS#1", "需要 PKCS#8、SEC 1 或 PKCS#1 格式的 ECDSA（P-256）、RSA 或 Ed25519 私钥"))
		return nil
	}
	r.add(Fail, check, r.text("%s holds no private key in PEM (-----BEGIN PRIVATE KEY-----)", "%s 中没有 PEM 格式的私钥（-----BEGIN PRIVATE KEY-----）", path), r.say("name the file with the key", "请指定私钥文件"))
	return nil
}

func parseKey(der []byte) crypto.Signer {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		signer, _ := key.(crypto.Signer)
		return signer
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key
	}
	return nil
}

// secret looks at who can read a file.
func (r *report) secret(path string) {
	const check = "key"
	info, err := os.Stat(path)
	if err != nil {
		return // said already
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		r.add(Fail, check, r.text("the mode of %s is %04o: others on this machine can read it or write to it", "%s 的权限是 %04o：本机其他用户可以读取或改写", path, mode),
			r.text("chmod 600 %s", "chmod 600 %s", path))
	} else {
		r.ok(check, "nobody else on this machine can read it (mode %04o)", "本机其他用户无法读取（权限 %04o）", mode)
	}
	if uid, known := ownerOf(info); known && uid != os.Geteuid() && uid != 0 {
		r.add(Fail, check, r.text("%s belongs to user %d, and this runs as user %d: its owner can read the key and put another in its place", "%s 属于用户 %d，而程序以用户 %d 运行：属主可以读取或替换私钥", path, uid, os.Geteuid()),
			r.text("chown %d %s", "chown %d %s", os.Geteuid(), path))
	}
}
