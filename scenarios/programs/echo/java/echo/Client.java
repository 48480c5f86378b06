package echo;

import java.io.IOException;
import java.net.Socket;

/** The echo client: it sends each line typed and prints what comes back, until the end of input (^D). */
public class Client {
    public static void main(String[] arguments) throws IOException {
        if (arguments.length < 1) {
            System.err.println("usage: java echo.Client SERVER-ADDRESS [port]");
            System.exit(1);
        }
        int port = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 10000;
        try (Socket connection = new Socket(arguments[0], port)) {
            Lines lines = new Lines(System.in);
            byte[] line;
            while ((line = lines.next()).length > 0) {
                connection.getOutputStream().write(line);
                // readNBytes reads so many, in however many pieces they come; fewer at the end only.
                byte[] answer = connection.getInputStream().readNBytes(line.length);
                if (answer.length < line.length) {
                    throw new IOException("the server has closed");
                }
                System.out.write(answer);
                System.out.flush();
            }
        }
    }
}
