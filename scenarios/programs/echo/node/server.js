// The echo server: it accepts one client and sends back what it receives, until the client has closed.

const net = require("node:net");

const [address = "0.0.0.0", port = "10000"] = process.argv.slice(2);

// Without allowHalfOpen the socket is closed when the client has closed.
const listener = net.createServer((client) => {
    listener.close(); // no other client
    client.on("error", (error) => {
        console.error(`server: ${error.message}`);
        process.exitCode = 1;
    });
    client.pipe(client);
});
listener.on("error", (error) => {
    console.error(`server: ${error.message}`);
    process.exitCode = 1;
});
listener.listen(Number(port), address);
