// The echo client: it sends each line typed and prints what comes back, until the end of input (^D).

const net = require("node:net");

const [address, port = "10000"] = process.argv.slice(2);
if (address === undefined) {
    console.error("usage: node client.js SERVER-ADDRESS [port]");
    process.exit(1);
}

const connection = net.connect(Number(port), address);
connection.on("error", (error) => {
    console.error(`client: ${error.message}`);
    process.exitCode = 1;
    process.stdin.destroy();
});
connection.pipe(process.stdout);
process.stdin.pipe(connection); // which ends the connection at the end of the input
