# FrostGuard for production: Node runs the TypeScript as it is, there is nothing to build but the dependencies.
# The version of Node is the one that package.json pins.
FROM node:26.10.0-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No install scripts: the only one of a production dependency is that of "node", which would fetch the runtime that this
# image is. No optional dependencies: they are the embedded PostgreSQL, and a container has DATABASE_URL.
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM node:26.10.0-slim
ENV NODE_ENV=production \
    MQTT_HOST=0.0.0.0 \
    HTTP_HOST=0.0.0.0 \
    DATA_DIR=/data
# The spool: what was acknowledged while the database was away. Give it a volume that outlives the container.
RUN install --directory --owner=node --group=node --mode=0700 /data
# Node's compile cache, see below.
RUN install --directory --owner=node --group=node /app/node_modules/.cache
VOLUME /data
WORKDIR /app
# Owned by the user that runs it: in a checkout with a strict umask nobody else may read the files.
COPY --from=dependencies --chown=node:node /app/node_modules ./node_modules
COPY --chown=node:node package.json *.mjs *.ts ./
COPY --chown=node:node broker ./broker
COPY --chown=node:node commands ./commands
COPY --chown=node:node console ./console
COPY --chown=node:node db ./db
COPY --chown=node:node drizzle ./drizzle
COPY --chown=node:node evaluator ./evaluator
COPY --chown=node:node ingest ./ingest
COPY --chown=node:node service ./service

USER node
# Fills Node's compile cache (compile-cache.mjs), as containers may be unable to. It holds for this user, these flags and this
# kind of processor. A program has loaded all it needs when it says that there is no such log level, and the script of a
# thread when it says that it is no program: each must say so.
RUN export LOG_LEVEL=none; \
    says() { expected=$1; shift; said=$("$@" 2>&1); echo "$said" >&2; echo "$said" | grep --quiet "$expected"; }; \
    service="node --max-semi-space-size=8 --heap-growing-percent=120 --import ./check-runtime.mjs"; \
    says LOG_LEVEL= $service main.ts && \
    says "is a worker thread" $service evaluator/thread/evaluator-worker.ts && \
    says "is a worker thread" $service ingest/spool/spool-worker.ts && \
    says LOG_LEVEL= node --import ./check-runtime.mjs commands/evaluator-process.ts && \
    ls node_modules/.cache/node
EXPOSE 1883 8883 8083 8080
# Alive, not ready: whoever restarts unhealthy containers must not do it because the database is away.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "--eval", "fetch('http://127.0.0.1:' + (process.env.HTTP_PORT || 8080) + '/livez').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# What `npm start` runs, but Node itself, so that SIGTERM reaches it and it commits what it holds (no npm or shell in between).
CMD ["node", "--max-semi-space-size=8", "--heap-growing-percent=120", "--import", "./check-runtime.mjs", "main.ts"]
