package echo;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;

/** The echo server: it accepts one client and sends back what it receives, until read gives -1. */
public class Server {
    public static void main(String[] arguments) throws IOException {
        String address = arguments.length > 0 ? arguments[0] : "0.0.0.0";
        int port = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 10000;
        // A ServerSocket has SO_REUSEADDR on Linux.
        try (ServerSocket listener = new ServerSocket(port, 128, InetAddress.getByName(address));
             Socket client = listener.accept()) {
            byte[] buffer = new byte[1024];
            int size;
            while ((size = client.getInputStream().read(buffer)) != -1) {
                client.getOutputStream().write(buffer, 0, size);
            }
        }
    }
}
