// The echo server: it accepts one client and sends back what it receives, until Read gives io.EOF.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
)

func serve(address string) error {
	listener, err := net.Listen("tcp4", address)
	if err != nil {
		return err
	}
	defer listener.Close()
	client, err := listener.Accept()
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = io.Copy(client, client) // until the end of what the client sends
	return err
}

func main() {
	address, port := "0.0.0.0", "10000"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	if len(os.Args) > 2 {
		port = os.Args[2]
	}
	if err := serve(net.JoinHostPort(address, port)); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}
