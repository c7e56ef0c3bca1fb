// Prints what Go's archive/tar, with which the engines read layers, says of each tar
// of a stream: its name and its entries, a line each, and how it ends.
package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
)

func main() {
	in := bufio.NewReader(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for {
		name, err := chunk(in)
		if err == io.EOF {
			return
		}
		data, err := chunk(in)
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(out, "# %s\n", name)
		judge(out, data)
	}
}

// A chunk of the input is its length in eight bytes, and as many bytes.
func chunk(in io.Reader) ([]byte, error) {
	var length uint64
	if err := binary.Read(in, binary.BigEndian, &length); err != nil {
		return nil, err
	}
	data := make([]byte, length)
	_, err := io.ReadFull(in, data)
	return data, err
}

func judge(out io.Writer, data []byte) {
	reader := tar.NewReader(bytes.NewReader(data))
	for {
		header, err := reader.Next()
		if err == io.EOF {
			fmt.Fprintln(out, "end")
			return
		}
		if err != nil {
			fmt.Fprintln(out, "refused")
			return
		}
		if header.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			fmt.Fprintln(out, "refused")
			return
		}
		fmt.Fprintf(out, "type=%d %s mode=%o owner=%d:%d time=%d.%09d",
			header.Typeflag, hex.EncodeToString([]byte(header.Name)), header.Mode&07777,
			header.Uid, header.Gid, header.ModTime.Unix(), header.ModTime.Nanosecond())
		switch header.Typeflag {
		case tar.TypeLink, tar.TypeSymlink:
			fmt.Fprintf(out, " to=%s", hex.EncodeToString([]byte(header.Linkname)))
		case tar.TypeChar, tar.TypeBlock:
			fmt.Fprintf(out, " device=%d:%d", header.Devmajor, header.Devminor)
		}
		fmt.Fprintf(out, " data=%s\n", hex.EncodeToString(content))
	}
}
