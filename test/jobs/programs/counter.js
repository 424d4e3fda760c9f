// An HTTP server that answers request n of a client only after n - 1; see job_node.py.
'use strict';
const fs = require('fs');
const http = require('http');

const [port, journal] = process.argv.slice(2);
const heard = new Map();
let total = 0, ticks = 0;

setInterval(() => ticks++, 5);

function next(url, response) {
	const client = url.searchParams.get('client'), n = Number(url.searchParams.get('n'));

	if ((heard.get(client) ?? -1) + 1 !== n) {
		response.writeHead(409).end(`${client}: ${n} after ${heard.get(client)}`);
		return;
	}
	heard.set(client, n);
	total++;
	// by way of a thread of libuv's pool, and of a timer
	fs.appendFile(journal, `${client} ${n}\n`, (error) => {
		setTimeout(() => response.end(error ? String(error) : `${client} ${n}`), 1);
	});
}

function check(response) {
	const lines = fs.readFileSync(journal, 'utf8').split('\n').length - 1;

	response.end(ticks > 0 ? String(lines === total ? total : -1) : 'no timer has fired');
}

const server = http.createServer((request, response) => {
	const url = new URL(request.url, 'http://localhost');

	if (url.pathname === '/next')
		next(url, response);
	else
		check(response);
});
server.keepAliveTimeout = 600000;
server.listen(Number(port), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
