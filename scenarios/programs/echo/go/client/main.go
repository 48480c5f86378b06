// The echo client: it sends each line typed and prints what comes back, until the end of input (^D).
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
)

func talk(address string) error {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer connection.Close()
	input := bufio.NewReader(os.Stdin)
	for {
		line, end := input.ReadBytes('\n')
		if _, err := connection.Write(line); err != nil {
			return err
		}
		answer := make([]byte, len(line))
		if _, err := io.ReadFull(connection, answer); err != nil {
			return err
		}
		os.Stdout.Write(answer)
		if end != nil {
			return nil
		}
	}
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: client SERVER-ADDRESS [port]")
		os.Exit(1)
	}
	port := "10000"
	if len(os.Args) > 2 {
		port = os.Args[2]
	}
	if err := talk(net.JoinHostPort(os.Args[1], port)); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}
