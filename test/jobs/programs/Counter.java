/* An HTTP server that answers request n of a client only after n - 1; see job_java.py. */
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

public class Counter {
	private final Map<String, Long> heard = new HashMap<>();
	private final AtomicLong ticks = new AtomicLong();
	private byte[][] garbage = new byte[256][];
	private long total;

	private static void answer(HttpExchange exchange, int status, String text) throws IOException {
		byte[] body = text.getBytes(StandardCharsets.UTF_8);

		exchange.sendResponseHeaders(status, body.length);
		exchange.getResponseBody().write(body);
		exchange.close();
	}

	private synchronized boolean isNext(String client, long n) {
		garbage[(int)(total % garbage.length)] = new byte[65536]; // keeps the collector's threads at work
		if (heard.getOrDefault(client, -1L) + 1 != n)
			return false;
		heard.put(client, n);
		total++;
		return true;
	}

	private void next(HttpExchange exchange) throws IOException {
		String[] fields = exchange.getRequestURI().getQuery().split("[=&]");
		boolean right = isNext(fields[1], Long.parseLong(fields[3]));

		answer(exchange, right ? 200 : 409, fields[1] + " " + fields[3]);
	}

	private synchronized void total(HttpExchange exchange) throws IOException {
		answer(exchange, 200, ticks.get() > 0 ? Long.toString(total) : "no timer has fired");
	}

	public static void main(String[] args) throws IOException {
		Counter counter = new Counter();
		HttpServer server = HttpServer.create(
			new InetSocketAddress(InetAddress.getByName("127.0.0.1"), Integer.parseInt(args[0])), 50);

		Executors.newSingleThreadScheduledExecutor().scheduleAtFixedRate(counter.ticks::incrementAndGet, 5, 5,
										 TimeUnit.MILLISECONDS);
		server.createContext("/next", counter::next);
		server.createContext("/total", counter::total);
		server.setExecutor(Executors.newFixedThreadPool(4));
		server.start();
	}
}
