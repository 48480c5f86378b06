package echo;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;

/** The lines of an input, as bytes and each with its newline. */
class Lines {
    private final InputStream input;

    Lines(InputStream input) {
        this.input = input;
    }

    /** The next line; empty at the end of the input. */
    byte[] next() throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        int one;
        while ((one = input.read()) != -1) {
            line.write(one);
            if (one == '\n') {
                break;
            }
        }
        return line.toByteArray();
    }
}
